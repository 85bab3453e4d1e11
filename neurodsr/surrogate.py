"""The trained artifact: an ensemble of latent maps with the encoders and decoders they live in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from neurodsr.config import parse_stored
from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.time import TimeGrid
from neurodsr.errors import ConfigError, IntegrityError
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.free_run import free_run, simulate_stream
from neurodsr.models.member import MemberSummary
from neurodsr.models.observation import ObservationModel, as_observed
from neurodsr.run_config import RunConfig
from neurodsr.seeds import derive_seed
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import check_manifest
from neurodsr.storage.tensors import read_arrays, write_arrays

SCHEMA = "neurodsr/surrogate/1"


@dataclass(frozen=True)
class Surrogate:
    """An ensemble of latent maps, best first, each with the encoder and decoders it lives in.

    Parameters
    ----------
    config
        The run's configuration.
    grid
        The clock of the recording it was trained on.
    channels
        Channels of every stream, by the lab's own name of the stream.
    units
        Physical unit of every stream.
    observations
        The kept encoders with their decoders.
    maps
        One map per member, in the order of `members`.
    members
        Health of the members; member 0 is the chosen one.
    history
        Losses of training, as the report shows them.
    """

    config: RunConfig
    grid: TimeGrid
    channels: Mapping[str, Channels]
    units: Mapping[str, str]
    observations: tuple[ObservationModel, ...]
    maps: tuple[PiecewiseLinearMap, ...]
    members: tuple[MemberSummary, ...]
    history: dict[str, Any] = field(default_factory=dict)

    @property
    def bin_width(self) -> float:
        """Width of a bin, s: exponents per step divided by it are per second."""
        return self.grid.bin_width

    def observation(self, member: int = 0) -> ObservationModel:
        """Encoder and decoders of a member."""
        return self.observations[self.members[member].encoder]

    def as_map(self, member: int = 0) -> PiecewiseLinearMap:
        """The latent map of a member."""
        return self.maps[member]

    def encode(
        self, recording: Recording, *, member: int = 0, streams: tuple[str, ...] | None = None
    ) -> Float[Tensor, "time latent"]:
        """Latent path of a recording, from all its streams or some of them.

        Raises
        ------
        ConfigError
            A stream was not trained on, or its channels or bins differ; or none is named.
        """
        names = tuple(self.config.streams) if streams is None else streams
        self.require_match(recording, names)
        seen = {name: as_observed(recording.streams[name]) for name in names}
        return self.observation(member).encode(seen)

    def require_match(self, recording: Recording, streams: tuple[str, ...]) -> None:
        """Refuse a recording that is not binned and recorded like the one trained on.

        Raises
        ------
        ConfigError
            A stream was not trained on, or its channels or bins differ; or none is named.
        """
        if not streams:
            raise ConfigError(
                "no stream is named",
                fix=f"name one or more of them: {', '.join(self.channels)}",
            )
        if recording.grid.bin_width != self.bin_width:
            raise ConfigError(
                f"the recording has bins of {recording.grid.bin_width:g} s, the surrogate was "
                f"trained on bins of {self.bin_width:g} s",
                fix=f"ingest the recording with grid.bin_width: {self.bin_width:g}",
            )
        for name in streams:
            self._require_channels(recording, name)

    def simulate(
        self, n_bins: int, *, z0: Float[Tensor, "start latent"], member: int = 0
    ) -> Float[Tensor, "start time latent"]:
        """Free orbits of a member from the given states."""
        return free_run(self.as_map(member), z0, n_bins)

    def decode(
        self, z: Float[Tensor, "*batch time latent"], *, member: int = 0
    ) -> dict[str, Distribution]:
        """The distribution of every stream along latent paths."""
        with torch.no_grad():
            return self.observation(member).decode(z)

    def sample(
        self, z: Float[Tensor, "*batch time latent"], *, seed: int, member: int = 0
    ) -> dict[str, Tensor]:
        """What the instruments would record along latent paths."""
        model = self.observation(member)
        return {
            name: simulate_stream(model.decoder(name), z, seed=derive_seed(seed, "sample", name))
            for name in model.names
        }

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the surrogate as one folder: JSON, safetensors and a manifest."""
        with complete_folder(path, force=force) as folder:
            write_json(folder / "surrogate.json", self._header())
            write_json(folder / "history.json", self.history)
            for i, model in enumerate(self.observations):
                write_arrays(folder / f"observation-{i}.safetensors", _arrays(model.state_dict()))
            for i, pwl in enumerate(self.maps):
                tensors = {k: v for k, v in pwl._asdict().items() if v is not None}
                write_arrays(folder / f"map-{i}.safetensors", _arrays(tensors))

    def _header(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "config": self.config.to_plain(),
            "grid": {
                "start": self.grid.start,
                "bin_width": self.grid.bin_width,
                "n_bins": self.grid.n_bins,
            },
            "channels": {name: c.to_plain() for name, c in self.channels.items()},
            "units": dict(self.units),
            "n_observations": len(self.observations),
            "members": [m.to_plain() for m in self.members],
        }

    def _require_channels(self, recording: Recording, name: str) -> None:
        if name not in self.channels or name not in recording.streams:
            raise ConfigError(
                f"stream {name!r} is not in both the surrogate ({', '.join(self.channels)}) and "
                f"the recording ({', '.join(recording.streams)})",
                fix="encode from streams that both have",
            )
        found, trained = recording.streams[name].channels, self.channels[name]
        # A label's code means its level: the same codes of other levels would be misread.
        if (found.ids, found.levels) != (trained.ids, trained.levels):
            raise ConfigError(
                f"stream {name!r} has {_count(found)} in the recording, the surrogate was "
                f"trained on {_count(trained)}, or on others of other names",
                fix="use the recording that the surrogate was trained on",
            )


def load_surrogate(path: str | Path) -> Surrogate:
    """Read a surrogate folder; anything else, or one byte changed, is refused.

    Raises
    ------
    IntegrityError
        The folder is incomplete, damaged, or not a surrogate of this version.
    """
    folder = Path(path)
    check_manifest(folder)
    header = _read_header(folder)
    where = str(folder / "surrogate.json")
    config = parse_stored(RunConfig, header["config"], where=where)
    grid = TimeGrid(**header["grid"])
    channels = {n: Channels.from_plain(c) for n, c in header["channels"].items()}
    return Surrogate(
        config=config,
        grid=grid,
        channels=channels,
        units=header["units"],
        observations=tuple(
            _load_observation(folder / f"observation-{i}.safetensors", config, channels, grid)
            for i in range(header["n_observations"])
        ),
        maps=tuple(
            PiecewiseLinearMap(**_tensors(folder / f"map-{i}.safetensors"))
            for i in range(len(header["members"]))
        ),
        members=tuple(parse_stored(MemberSummary, m, where=where) for m in header["members"]),
        history=read_json(folder / "history.json"),
    )


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / "surrogate.json"
    header = read_json(path) if path.is_file() else None
    schema = header.get("schema") if isinstance(header, dict) else None
    if schema == SCHEMA:
        return header
    if isinstance(schema, str) and re.fullmatch(r"neurodsr/surrogate/\d+", schema):
        raise IntegrityError(
            f"its schema is {schema}, newer than {SCHEMA}",
            where=str(path),
            fix="read it with a newer neurodsr: pip install -U neurodsr",
        )
    raise IntegrityError(
        f"not a surrogate: its schema is {schema!r}, not {SCHEMA!r}",
        where=str(folder),
        fix="give the folder that `neurodsr train` or `neurodsr run` wrote",
    )


def _load_observation(
    path: Path, config: RunConfig, channels: Mapping[str, Channels], grid: TimeGrid
) -> ObservationModel:
    model = ObservationModel.build(config, channels, bin_width=grid.bin_width)
    try:
        model.load_state_dict(_tensors(path))
    except RuntimeError as error:
        raise IntegrityError(
            f"parameters do not fit the configuration: {str(error).splitlines()[-1].strip()}",
            where=str(path),
            fix="load the surrogate with the neurodsr and plug-in versions that wrote it",
        ) from error
    return model.requires_grad_(False)


def _count(channels: Channels) -> str:
    levels = f" of {len(channels.levels)} levels" if channels.levels else ""
    return f"{len(channels)} channels{levels}"


def _tensors(path: Path) -> dict[str, Tensor]:
    return {k: torch.from_numpy(v) for k, v in read_arrays(path).items()}


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {k: v.detach().contiguous().numpy() for k, v in tensors.items()}
