"""The folder that a training lives in while it runs: data, configuration, jobs and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurodsr.config import differing_keys
from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.split import split_recording
from neurodsr.errors import ConfigError, OutputError
from neurodsr.modalities.observed import Observed
from neurodsr.run_config import RunConfig
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.manifest import file_sha256
from neurodsr.storage.tensors import read_arrays, write_arrays
from neurodsr.training.windows import Tensors, to_tensors

SCHEMA = "neurodsr/training/1"


@dataclass(frozen=True)
class Workspace:
    """Everything that a training job reads, from one folder, in whichever process it runs."""

    path: Path
    config: RunConfig
    channels: Mapping[str, Channels]
    bin_width: float

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return read_arrays(self.path / "data.safetensors")

    @cached_property
    def train(self) -> Tensors:
        """The training stretches."""
        return self._part("train")

    @cached_property
    def validation(self) -> Tensors:
        """The stretches that rank encoders and members."""
        return self._part("validation")

    def folder(self, job: str) -> Path:
        """Where a job keeps its checkpoints and its result."""
        return self.path / job

    def _part(self, part: str) -> Tensors:
        n = len({k.split("/")[1] for k in self._arrays if k.startswith(f"{part}/")})
        return Tensors(tuple(self._stretch(f"{part}/{i}") for i in range(n)))

    def _stretch(self, prefix: str) -> dict[str, Observed]:
        return {
            name: Observed(*(self._tensor(f"{prefix}/{i}/{part}") for part in Observed._fields))
            for i, name in enumerate(sorted(self.config.streams))
        }

    def _tensor(self, key: str) -> torch.Tensor | None:
        return torch.from_numpy(self._arrays[key]) if key in self._arrays else None


def create_workspace(path: Path, recording: Recording, config: RunConfig) -> Workspace:
    """Write what the jobs will read; the folder may exist but must be empty.

    Raises
    ------
    OutputError
        Something else lies there.
    """
    if path.exists() and any(path.iterdir()):
        raise OutputError(
            "the training folder is not empty",
            where=str(path),
            fix="resume the training that lies there (--resume), or give another folder",
        )
    path.mkdir(parents=True, exist_ok=True)
    write_arrays(path / "data.safetensors", dict(_data_arrays(recording, config)))
    write_json(path / "workspace.json", _description(path, recording, config))
    return open_workspace(path)


def open_workspace(path: Path) -> Workspace:
    """Read a workspace that `create_workspace` wrote."""
    facts = read_json(path / "workspace.json")
    return Workspace(
        path,
        RunConfig.from_plain(facts["config"]),
        {n: Channels.from_plain(c) for n, c in facts["channels"].items()},
        facts["bin_width"],
    )


def resume_workspace(path: Path, recording: Recording, config: RunConfig) -> Workspace:
    """Open the workspace of an interrupted training of the same data and configuration.

    A folder in which the workspace was not yet complete is filled anew.

    Raises
    ------
    ConfigError
        Data or configuration differ from the interrupted training's; names the differing keys.
    """
    if not (path / "workspace.json").is_file():
        (path / "data.safetensors").unlink(missing_ok=True)
        return create_workspace(path, recording, config)
    before = read_json(path / "workspace.json")
    fresh = dict(_data_arrays(recording, config))
    now = _description(path, recording, config) | {"sha256": before["sha256"]}
    different = differing_keys(before, now)
    if not _same_arrays(fresh, read_arrays(path / "data.safetensors")):
        different.append("the data")
    if different:
        raise ConfigError(
            f"the interrupted training differs in {', '.join(different[:8])}",
            where=str(path),
            fix="resume with the configuration and file it was started with, or start afresh "
            "in another folder",
        )
    return open_workspace(path)


def _description(path: Path, recording: Recording, config: RunConfig) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "config": config.to_plain(),
        "bin_width": recording.grid.bin_width,
        "channels": {n: s.channels.to_plain() for n, s in recording.streams.items()},
        "sha256": file_sha256(path / "data.safetensors"),
    }


def _data_arrays(recording: Recording, config: RunConfig) -> Iterator[tuple[str, np.ndarray]]:
    split = split_recording(recording, validation=config.split.validation, test=config.split.test)
    for part, stretches in (("train", split.train), ("validation", split.validation)):
        for s, streams in enumerate(to_tensors(recording, stretches).stretches):
            for i, name in enumerate(sorted(config.streams)):
                for kind, tensor in streams[name]._asdict().items():
                    if tensor is not None:
                        yield f"{part}/{s}/{i}/{kind}", tensor.numpy()


def _same_arrays(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)
