"""What many tests share: hypothesis settings, and models whose answers are known by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import settings

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.member import MemberSummary
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"

# The first example may import torch or compile a check, which no deadline foresees; and a test
# that draws other examples every time fails for whoever happens to run it.
settings.register_profile("neurodsr", deadline=None, derandomize=True)
settings.load_profile("neurodsr")


@pytest.fixture(scope="session")
def linear_map() -> Callable[..., PiecewiseLinearMap]:
    """A function that writes z' = M z + h as a piecewise-linear map, by relu(y) - relu(-y) = y."""

    def make(matrix: object, h: object = None, *, dtype: torch.dtype = torch.float32):
        M = torch.as_tensor(matrix, dtype=dtype)
        one, zero = torch.eye(len(M), dtype=dtype), torch.zeros(len(M), dtype=dtype)
        return PiecewiseLinearMap(
            A=zero,
            W1=torch.cat([M, -M], dim=1),
            W2=torch.cat([one, -one]),
            h1=zero if h is None else torch.as_tensor(h, dtype=dtype),
            h2=torch.cat([zero, zero]),
        )

    return make


@pytest.fixture(scope="session")
def rotation() -> Callable[[float], np.ndarray]:
    """A function that gives the rotation matrix of an angle, rad."""

    def make(angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s], [s, c]])

    return make


@pytest.fixture(scope="session")
def direct_config() -> Callable[..., RunConfig]:
    """A function that configures one Gaussian stream "signal" seen directly by the latent."""

    def make(dim: int, *, kernel: int = 1, **sections: dict) -> RunConfig:
        return RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": "a.nwb",
                "grid": {"bin_width": 0.1},
                "streams": {"signal": {"kind": "behavior", "path": "signal"}},
                "encoder": {"width": 2 * dim, "kernel": kernel},
                "dynamics": {"latent_dim": dim, "hidden_dim": 4},
                **sections,
            }
        )

    return make


@pytest.fixture(scope="session")
def direct_model() -> Callable[..., ObservationModel]:
    """A function that builds a model whose latent is the signal itself, z = x, exactly.

    gelu(y) - gelu(-y) = y, so that both layers of the encoder can pass the signal through. With
    `latest`, the latent of bin t is instead the signal at the last bin it may see, t + context.
    """

    @torch.no_grad()
    def make(config: RunConfig, *, noise: float = 1.0, latest: bool = False) -> ObservationModel:
        dim, kernel = config.dynamics.latent_dim, config.encoder.kernel
        channels = Channels(tuple(f"x{i}" for i in range(dim)))
        model = ObservationModel.build(config, {"signal": channels}, bin_width=0.1)
        one = torch.eye(dim)
        both = torch.cat([one, -one])
        evidence = model.experts[0].evidence.weight
        evidence.copy_(torch.cat([both, torch.zeros(2 * dim, 1)], dim=1))
        for layer, taps in (
            (model.fusion.inner, torch.cat([both, -both], dim=1)),
            (model.fusion.outer, torch.cat([one, -one], dim=1)),
        ):
            layer.weight.zero_()
            layer.weight[:, :, -1 if latest else kernel // 2] = taps
            layer.bias.zero_()
        decoder = model.decoder("signal")
        decoder.mean.weight.copy_(one)
        decoder.mean.bias.zero_()
        decoder.log_noise.fill_(float(np.log(noise)))
        return model.requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def signal_recording() -> Callable[..., Recording]:
    """A function that makes a recording of one wholly observed signal [time, channel]."""

    def make(x: np.ndarray, *, bin_width: float = 0.1, truth: object = None) -> Recording:
        grid = TimeGrid(0.0, bin_width, len(x))
        channels = Channels(tuple(f"x{i}" for i in range(x.shape[1])))
        stream = Stream(x.astype(np.float32), np.ones(x.shape, dtype=bool), channels, "m")
        edges = Intervals(np.array([grid.start]), np.array([grid.stop]), {})
        return Recording("session", grid, {"signal": stream}, edges, truth=truth)

    return make


@pytest.fixture(scope="session")
def summary() -> Callable[..., MemberSummary]:
    """A function that describes a healthy member, but for the given fields."""

    def make(**fields: object) -> MemberSummary:
        healthy = {
            "member": 0,
            "encoder": 0,
            "seed": 1,
            "alpha": 0.1,
            "dead": 0.0,
            "self_divergence": 0.2,
            "self_spectrum": 0.05,
            "consistency": 0.01,
            "exponent": 0.9,
        }
        return MemberSummary(**(healthy | fields))

    return make


@pytest.fixture(scope="session")
def direct_surrogate(direct_config, direct_model, summary) -> Callable[..., Surrogate]:
    """A function that makes a surrogate of one map whose latent is the signal itself."""

    def make(
        pwl: PiecewiseLinearMap, recording: Recording, *, kernel: int = 1, **how: float
    ) -> Surrogate:
        config = direct_config(pwl.latent_dim, kernel=kernel)
        stream = recording.streams["signal"]
        return Surrogate(
            config=config,
            grid=recording.grid,
            channels={"signal": stream.channels},
            units={"signal": stream.unit},
            observations=(direct_model(config, **how),),
            maps=(pwl,),
            members=(summary(),),
        )

    return make


@pytest.fixture(scope="session")
def small_session() -> Recording:
    """60 bins of random spikes, a position and a choice."""
    rng = np.random.default_rng(0)
    grid, seen = TimeGrid(0.1, 0.02, 60), np.ones((60, 2), dtype=bool)
    units = Channels(("a", "b"), regions=("VISp", "CA1"))
    choice = Channels(("choice",), levels=("left", "right"))
    streams = {
        "units": Stream(rng.poisson(1.0, (60, 2)).astype(np.float32), seen, units, "count"),
        "position": Stream(rng.normal(size=(60, 2)), seen, Channels(("x", "y")), "m"),
        "choice": Stream(rng.integers(0, 2, (60, 1)), seen[:, :1], choice, "label"),
    }
    edges = Intervals(np.array([grid.start]), np.array([grid.stop]), {})
    return Recording("session", grid, streams, edges)


def random_map(seed: int) -> PiecewiseLinearMap:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    A, h1, h2 = draw(3).tanh(), draw(3), draw(6)
    return PiecewiseLinearMap(A, 0.2 * draw(3, 6), draw(6, 3), h1, h2)


@pytest.fixture(scope="session")
def small_surrogate(small_session, summary) -> Surrogate:
    """A surrogate of the small session: three untrained members on two encoders."""
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.02},
            "streams": {
                "units": {"kind": "spikes"},
                "position": {"kind": "behavior", "path": "position", "weight": 2.0},
                "choice": {"kind": "behavior", "path": "choice", "observation": "categorical"},
            },
            "encoder": {"width": 4, "kernel": 3},
            "dynamics": {"latent_dim": 3, "hidden_dim": 6},
        }
    )
    channels = {n: s.channels for n, s in small_session.streams.items()}
    encoders = [
        ObservationModel.build(config, channels, bin_width=0.02, seed=i).requires_grad_(False)
        for i in range(2)
    ]
    return Surrogate(
        config=config,
        grid=small_session.grid,
        channels=channels,
        units={n: s.unit for n, s in small_session.streams.items()},
        observations=tuple(encoders),
        maps=tuple(random_map(i) for i in range(3)),
        members=tuple(summary(member=i, encoder=i % 2, exponent=i / 3) for i in range(3)),
        history={"encoders": [{"step": [50], "loss": [1 / 3]}]},
    )


@pytest.fixture
def announce(tmp_path) -> Callable[..., Path]:
    """A function that lays down an installed package of one module; gives the folder it lies in."""

    def make(name: str, code: str, *, kind: str = "widefield", what: str = "Widefield") -> Path:
        folder, module = tmp_path / "site" / name, name.replace("-", "_")
        info = folder / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[neurodsr.modalities]\n{kind} = {module}:{what}\n")
        (folder / f"{module}.py").write_text(dedent(code))
        return folder

    return make


@pytest.fixture
def install(announce, monkeypatch) -> Iterator[Callable[..., None]]:
    """A function that does the same and puts the package on the path of this process."""
    installed = []

    def make(name: str, code: str, **entry: str) -> None:
        monkeypatch.syspath_prepend(str(announce(name, code, **entry)))
        installed.append(name.replace("-", "_"))

    yield make
    for module in installed:
        sys.modules.pop(module, None)


@pytest.fixture
def unchecked_shapes():
    """Switch the tests' own check of shapes off, where the package's refusal is what is tested."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def shared_file() -> Callable[[str], Path]:
    """A function that gives a real recording, and skips the test where it is not at hand."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            if os.environ.get("CI"):
                pytest.fail(f"the real recording {name} is missing on CI")
            pytest.skip(f"the real recording {name} is not beside this checkout")
        return path

    return find
