"""What many tests share: hypothesis settings, and models whose answers are known by hand."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.fixture
def unchecked_shapes():
    """Switch the tests' own check of shapes off, where the package's refusal is what is tested."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
