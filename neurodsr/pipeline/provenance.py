"""Where a run's numbers come from: versions, file, seed, command, and how long each stage took."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from neurodsr.data.recording import Recording
from neurodsr.modalities.registry import plugin_of
from neurodsr.run_config import RunConfig

PACKAGES = ("neurodsr", "torch", "numpy", "scipy", "h5py", "zarr", "nibabel", "pydantic")


def versions(config: RunConfig) -> dict[str, str]:
    """Version of Python, of the packages that matter, and of every plug-in that a run uses."""
    found = {"python": platform.python_version()} | {p: version(p) for p in PACKAGES}
    for modality in config.streams.values():
        plugin = plugin_of(modality)
        found[plugin.distribution] = plugin.version
    return found


def describe_run(
    config: RunConfig, recording: Recording, *, command: str, seconds: dict[str, float]
) -> dict[str, Any]:
    """The run.json of a finished run."""
    source = recording.source or {}
    return {
        "schema": "neurodsr/run/1",
        "versions": versions(config),
        "file": source.get("name", str(config.file)),
        "sha256": source.get("sha256", ""),
        "seed": config.seed,
        "command": command,
        "seconds": {stage: round(s, 2) for stage, s in seconds.items()},
    }
