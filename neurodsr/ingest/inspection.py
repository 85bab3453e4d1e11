"""What was found in a file, as plain values that the command line prints or gives as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from neurodsr.config import Config
from neurodsr.data.channels import Channels
from neurodsr.modalities.clock import ClockConfig
from neurodsr.run_config import InputConfig, TruthConfig

Observation = Literal["", "angle", "categorical", "events", "fluorescence", "gaussian", "student"]


class ColumnInspection(Config):
    """One plain column of a table: a trial's choice, or a unit's quality to select units by."""

    path: str = Field(description="Path of the column; of a table of intervals, a stream's `path`.")
    levels: tuple[str, ...] = Field(description="Distinct values, sorted; the first 12.")
    n_levels: int = Field(description="Number of distinct values, missing ones not counted.")
    extent: tuple[float, float] | None = Field(
        None, description="Smallest and largest finite value; null where it holds no numbers."
    )
    n_missing: int = Field(0, description="Rows whose value is missing (empty, N/A, NaN).")
    proposed: str = Field("", description="Modality that would take it; empty if none would.")
    observation: Observation = Field("", description="Kind of values, where it was decided.")


class Anatomy(Config):
    """Where the channels of a stream lie, as far as the file says it."""

    regions: dict[str, int] = Field(description="Channels of each region, most frequent first.")
    n_unlabeled: int = Field(description="Channels without a region.")
    n_located: int = Field(description="Channels with a position.")
    position_units: tuple[str, ...] = Field(description="Units of the positions, as declared.")
    spaces: tuple[str, ...] = Field(description="Coordinate spaces, as declared.")
    hemispheres: dict[str, int] = Field(description="Channels of each hemisphere.")
    cell_types: dict[str, int] = Field(description="Channels of each cell type.")
    sources: tuple[str, ...] = Field(description="Objects of the file that this was read from.")

    @classmethod
    def of(cls, channels: Channels) -> Anatomy | None:
        """What is known of the channels' places; None if nothing is."""
        located = [i for i, known in enumerate(channels.located) if known]
        found = cls(
            regions=_counted(channels.regions),
            n_unlabeled=sum(not r for r in channels.regions),
            n_located=len(located),
            position_units=tuple(sorted({channels.position_units[i] for i in located})),
            spaces=tuple(sorted({channels.spaces[i] for i in located})),
            hemispheres=_counted(channels.hemispheres),
            cell_types=_counted(channels.cell_types),
            sources=tuple(sorted(set(filter(None, channels.anatomy_sources)))),
        )
        known = found.regions or located or found.hemispheres or found.cell_types
        return found if known else None


def _counted(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, the empty one aside; the most frequent first."""
    counts = Counter(filter(None, names))
    return {name: counts[name] for name in sorted(counts, key=lambda n: (-counts[n], n))}


class StreamInspection(Config):
    """One object of the file that could become a stream."""

    path: str = Field(description="Path in the file, as a stream's `path`.")
    kind: Literal["events", "series", "intervals"] = Field(description="Raw kind.")
    neurodata_type: str = Field(
        description="Type in the NWB schema, or a word of the format, such as table."
    )
    n_channels: int = Field(description="Neurons, dimensions or columns.")
    n_samples: int = Field(description="Spikes, samples or rows.")
    start: float | None = Field(description="First time, s; null where it cannot be read.")
    stop: float | None = Field(description="Last time, s; null where it cannot be read.")
    rate: float = Field(description="Sampling rate, Hz; 0 where irregular or of events.")
    median_rate: float = Field(
        0.0, description="Median over channels of events per second of observation, Hz."
    )
    unit: str = Field(description="Physical unit as the file spells it.")
    description: str = Field("", description="What the file says about it.")
    regions: tuple[str, ...] = Field((), description="Anatomical labels, distinct, sorted.")
    ids: tuple[str, ...] = Field(
        (), description="Names of its channels, as `channels` selects them; none above 1000."
    )
    anatomy: Anatomy | None = Field(
        None, description="Where its channels lie; null where it was not read, or nothing is known."
    )
    gaps: tuple[tuple[float, float], ...] = Field(
        (), description="Stretches without samples, from and to, s."
    )
    columns: tuple[ColumnInspection, ...] = Field(
        (), description="Plain columns: of a table of intervals, or one entry a channel."
    )
    modality: str = Field(
        "", description="Kind of modality that fits, installed or not; empty if none does."
    )
    by_name: bool = Field(
        False, description="Whether only its name says so, or that of its file, and not its type."
    )
    installed: bool = Field(True, description="Whether that modality is installed.")
    proposed: str = Field("", description="Modality that `init` would write; empty for none.")
    observation: Observation = Field("", description="Kind of values, where it was decided.")
    needs_clock: bool = Field(
        False, description="Whether the file lacks its times: a rate or interval has to be given."
    )
    clock: ClockConfig | None = Field(
        None, description="What was declared of its clock, where the file says nothing."
    )
    extent: tuple[float, float] | None = Field(
        None, description="Smallest and largest value; null where they were not looked at."
    )
    missing: float = Field(
        0.0, description="Fraction of the values that are NaN, infinite or unsure, where known."
    )
    moving: tuple[float, float] | None = Field(
        None,
        description="First and last time between which a signal changes, s, where it stands "
        "still for a tenth of the series or more at either end; else null.",
    )
    problems: tuple[str, ...] = Field(
        (), description="Graded sentences, 'warning: ...' or 'error: ...'."
    )

    @property
    def usable(self) -> bool:
        """Whether it can be read at all."""
        return self.start is not None and not any(p.startswith("error") for p in self.problems)

    @property
    def duration(self) -> float | None:
        """Time from first to last sample, s; None where it cannot be read."""
        return None if self.start is None or self.stop is None else self.stop - self.start


class InputInspection(Config):
    """An input to the brain that the file holds, such as light, ready to be used in a run."""

    name: str = Field(description="A name for it.")
    reason: str = Field(description="Why it is proposed, one sentence.")
    config: InputConfig = Field(description="What a run's `inputs` would say.")


class Inspection(Config):
    """Everything found in one file."""

    file: str = Field(description="Path of the file or folder, as given.")
    size: int = Field(description="Bytes of the file, or of all files of the folder.")
    sha256: str = Field(
        description="Checksum, hexadecimal; of a folder, of its files' names and contents. Empty "
        "above 1 GiB, where an inspection would wait for it."
    )
    identifier: str = Field(description="Identifier of the session.")
    session_start: str = Field(description="Start of the session, ISO 8601.")
    subject: str = Field(description="Identifier of the subject; empty if unknown.")
    species: str = Field(description="Species of the subject; empty if unknown.")
    streams: tuple[StreamInspection, ...] = Field(description="What could become a stream.")
    inputs: tuple[InputInspection, ...] = Field((), description="Inputs to the brain.")
    truth: TruthConfig | None = Field(
        None, description="Ground truth of a session that neurodsr simulated."
    )
    problems: tuple[str, ...] = Field((), description="Graded sentences on the file as a whole.")
