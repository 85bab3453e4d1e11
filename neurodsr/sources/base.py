"""The contract of an opened file: what it holds, as events, series, intervals and anatomy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeVar

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series

AnySource = TypeVar("AnySource", bound="Source")


@dataclass(frozen=True)
class StreamEntry:
    """One thing in a file that could become a stream.

    `kind` is the raw kind; `start`, `stop` in s; `rate` in Hz, 0 where irregular or of events;
    `problems` are graded sentences such as "warning: 3 duplicate timestamps". `neurodata_type` is
    the NWB type, or for other formats a word such as "table" or "BOLD". `modality` is the kind of
    observation model that would fit ("spikes", "calcium", "fmri", "lfp", "behavior"; "" if
    none), whether or not it is installed. `gaps` are stretches without samples. `channels` is
    what is known of its channels, where listing comes to know it.
    """

    path: str
    kind: Literal["events", "series", "intervals"]
    neurodata_type: str
    n_channels: int
    n_samples: int
    start: float
    stop: float
    rate: float
    unit: str
    description: str
    regions: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    modality: str = ""
    gaps: tuple[tuple[float, float], ...] = ()
    channels: Channels | None = None


@dataclass(frozen=True)
class DeclaredClock:
    """What the user says of a series' clock, where the file does not say it.

    `interval` is the time from one sample to the next, s (1/frame rate, TR): for samples without
    times, and for timestamps that count samples. `times` names the column or variable of a table
    that holds the samples' times, s.
    """

    interval: float | None = None
    times: str | None = None


@dataclass(frozen=True)
class SessionInfo:
    """Who and when a file is about; "" where it does not say. `started` is an ISO 8601 time.

    `warnings` hold what the reader of the format said while opening the file.
    """

    identifier: str = ""
    started: str = ""
    subject: str = ""
    species: str = ""
    warnings: tuple[str, ...] = ()


class Source(ABC):
    """An opened file, a context manager; it knows formats and nothing of statistics.

    A path that is not in the file raises `DataError` naming the nearest ones that are.
    """

    path: str

    @abstractmethod
    def list_streams(self) -> list[StreamEntry]:
        """Everything in the file that could become a stream, in the file's order."""

    @abstractmethod
    def events(self, path: str) -> Events:
        """Points in time of many channels, such as the spike times of a units table."""

    @abstractmethod
    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """A sampled signal with its times, conversion applied.

        Parameters
        ----------
        clock
            What the user declared of its clock; it stands in for what the file lacks.
        """

    @abstractmethod
    def intervals(self, path: str) -> Intervals:
        """A table of stretches of time with its columns, such as trials."""

    def invalid(self) -> Intervals | None:
        """Stretches that the file declares unusable for every stream; None if it names none."""
        return None

    def inputs(self) -> tuple[dict[str, Any], ...]:
        """Inputs to the brain that the file holds, such as light; an optional hook, default none.

        Each is the plain fields of an input of a run (`path`, `value`, `where`, ...), with a
        `reason`, one sentence for people.
        """
        return ()

    def session(self) -> SessionInfo:
        """Who and when the file is about; an optional hook, the default knows nothing."""
        return SessionInfo()

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def __enter__(self: AnySource) -> AnySource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
