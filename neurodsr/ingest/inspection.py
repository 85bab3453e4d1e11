"""What was found in a file, as plain values that the command line prints or gives as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurodsr.config import Config
from neurodsr.run_config import TruthConfig

Observation = Literal["", "gaussian", "categorical"]


class ColumnInspection(Config):
    """One plain column of a table of intervals, such as the choice made in each trial."""

    path: str = Field(description="Path of the column, as a stream's `path`.")
    levels: tuple[str, ...] = Field(description="Distinct values, sorted; the first 12.")
    n_levels: int = Field(description="Number of distinct values.")
    proposed: str = Field("", description="Modality that would take it; empty if none would.")


class StreamInspection(Config):
    """One object of the file that could become a stream."""

    path: str = Field(description="Path in the file, as a stream's `path`.")
    kind: Literal["events", "series", "intervals"] = Field(description="Raw kind.")
    neurodata_type: str = Field(description="Type in the NWB schema.")
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
    columns: tuple[ColumnInspection, ...] = Field((), description="Plain columns of a table.")
    proposed: str = Field("", description="Modality that would take it; empty if none would.")
    observation: Observation = Field("", description="Kind of values, where it was decided.")
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


class Inspection(Config):
    """Everything found in one file."""

    file: str = Field(description="Path of the file, as given.")
    sha256: str = Field(description="Checksum of the file, hexadecimal.")
    identifier: str = Field(description="Identifier of the session.")
    session_start: str = Field(description="Start of the session, ISO 8601.")
    subject: str = Field(description="Identifier of the subject; empty if unknown.")
    species: str = Field(description="Species of the subject; empty if unknown.")
    streams: tuple[StreamInspection, ...] = Field(description="What could become a stream.")
    truth: TruthConfig | None = Field(
        None, description="Ground truth of a session that neurodsr simulated."
    )
    problems: tuple[str, ...] = Field((), description="Graded sentences on the file as a whole.")
