"""What is done with a simulated recording before it is trained on: hide parts, configure a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from types import MappingProxyType
from typing import Any

import numpy as np

from neurodsr.data.recording import Recording
from neurodsr.data.streams import Stream
from neurodsr.errors import ConfigError, nearest
from neurodsr.modalities.base import Modality
from neurodsr.run_config import RunConfig
from neurodsr.seeds import derive_seed


def hide_stretches(
    recording: Recording, *, fraction: float, seed: int, length: int = 200
) -> Recording:
    """The recording with a fraction of each stream's stretches masked, drawn stream by stream.

    A larger fraction hides what a smaller one hides, and more.

    Parameters
    ----------
    fraction
        Fraction of stretches that is hidden, from 0 to 1; rounded to whole stretches.
    seed
        Seed of the draw.
    length
        Bins of a stretch; the last may be shorter.

    Raises
    ------
    ConfigError
        The fraction is not within 0 to 1.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(
            f"a fraction of {fraction:g} cannot be hidden",
            where="hide_stretches",
            fix="choose a fraction from 0 to 1",
        )
    n = ceil(recording.grid.n_bins / length)

    def hide(name: str, stream: Stream) -> Stream:
        generator = np.random.default_rng(derive_seed(seed, "missing", name))
        hidden = generator.permutation(n) < round(fraction * n)
        seen = ~np.repeat(hidden, length)[: stream.n_bins, None]
        return stream.transform(lambda part: part * seen)

    return replace(recording, streams={k: hide(k, s) for k, s in recording.streams.items()})


def configure_run(
    recording: Recording,
    *,
    streams: Mapping[str, Modality | Mapping[str, Any]],
    seed: int = 0,
    sections: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> RunConfig:
    """The configuration of a run on some streams of a recording that has no file.

    Parameters
    ----------
    recording
        Gives the clock.
    streams
        Kind and options of each stream that is used, as a modality or as in a YAML file; `path`
        may be left out.
    seed
        Seed of the run.
    sections
        Other sections, such as `{"ensemble": {"n_members": 4}}`.

    Raises
    ------
    ConfigError
        The recording has no such stream.
    """
    for name in streams:
        if name not in recording.streams:
            raise ConfigError(
                f"there is no stream {name!r}: {nearest(name, recording.streams)}",
                where=recording.id,
                fix=f"choose among {', '.join(recording.streams)}",
            )
    plain = {n: s.to_plain() if isinstance(s, Modality) else dict(s) for n, s in streams.items()}
    return RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "simulated",
            "grid": {"bin_width": recording.grid.bin_width},
            "streams": {name: {"path": name} | stream for name, stream in plain.items()},
            "seed": seed,
            **{name: dict(section) for name, section in sections.items()},
        }
    )
