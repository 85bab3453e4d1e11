"""A look at each stream of a file: what its listing says, and what opening it adds."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import RegularTimes
from neurodsr.data.streams import Events, Series
from neurodsr.errors import DataError
from neurodsr.ingest.fitting import SIMULATION, fit_modality, propose_modality
from neurodsr.ingest.inspect_columns import channel_columns, table_columns
from neurodsr.ingest.inspection import Anatomy, StreamInspection
from neurodsr.ingest.names import named_kind
from neurodsr.ingest.stillness import describe_stillness, moving_span
from neurodsr.ingest.values import observation_of
from neurodsr.modalities.base import Modality
from neurodsr.modalities.clock import ClockConfig
from neurodsr.sources.base import DeclaredClock, Source, StreamEntry

SIGNALS = frozenset({"gaussian", "student", "angle"})
MAX_OPENED = 2**25
"""Values up to which a series is opened, which may read it once to count what is missing."""
MAX_VALUES = 2**23
"""Values up to which a series is held in memory to look at them."""
MAX_ALIKE = 100
MAX_WIDE = 1000
REGULAR = 0.01
MAX_MISSING: float = Modality.model_fields["max_missing"].default
CLOCK = "clock:"
"""What the remedy of a refusal names where a declared clock would help."""


@dataclass
class StreamLook:
    """One look at the streams of an opened file; it remembers how many alike were opened.

    Parameters
    ----------
    source
        The opened file.
    clock
        Rate or interval of the samples whose file does not say it.
    kinds
        Modalities that are installed.
    """

    source: Source
    clock: ClockConfig | None
    kinds: frozenset[str]
    opened: Counter[str] = field(default_factory=Counter)

    def at(self, entry: StreamEntry) -> StreamInspection:
        """An entry of the listing, and what opening it says."""
        found = _listed(entry, self.kinds, self.source.path)
        self.opened[family(entry.path)] += 1
        if self._takes_long(entry) or entry.path.startswith(f"{SIMULATION}/"):
            return found
        if entry.kind == "series" and not found.usable:
            return self._without_clock(found)
        if not found.usable:
            return found
        try:
            return _OPENED[entry.kind](self.source, found, entry)
        except DataError as error:
            return _refused(found, error)

    def _takes_long(self, entry: StreamEntry) -> bool:
        """Whether it is one of very many, or large, so that its listing has to do."""
        many = self.opened[family(entry.path)] > MAX_ALIKE
        large = entry.kind == "series" and entry.n_samples * entry.n_channels > MAX_OPENED
        # Thousands of channels that nothing is known to take may be as many objects of the file.
        wide = not entry.modality and math.isfinite(entry.start) and entry.n_channels > MAX_WIDE
        return many or large or wide

    def named(self, path: str) -> StreamInspection:
        """A series that the file does not list but can read, such as trials laid in a row.

        Raises
        ------
        DataError
            The file cannot read it.
        """
        try:
            series, clock = self.source.series(path), None
        except DataError as error:
            if self.clock is None or CLOCK not in error.fix:
                raise
            clock = self.clock
            series = self.source.series(path, clock=DeclaredClock(clock.sample_interval))
        found = StreamInspection(
            path=path,
            kind="series",
            neurodata_type="series",
            n_channels=len(series.channels),
            n_samples=len(series.times),
            start=float(series.times[0]),
            stop=float(series.times[-1]),
            rate=_rate(series) if clock is None else 1 / (clock.sample_interval or math.inf),
            unit=series.unit,
            regions=tuple(sorted(set(series.channels.regions) - {""})),
            modality=named_kind(path, file=self.source.path),
            needs_clock=clock is not None,
            clock=clock,
        )
        found = found.model_copy(update={"proposed": propose_modality(found, self.kinds)})
        return _series_facts(found, series)

    def _without_clock(self, found: StreamInspection) -> StreamInspection:
        """A series that cannot be read as it is, but perhaps with a declared interval."""
        declared = self.clock or ClockConfig(interval=1.0)
        try:
            self.source.series(found.path)
            return found
        except DataError as error:
            lack = error
        if CLOCK not in lack.fix:
            return found
        try:
            series = self.source.series(found.path, clock=DeclaredClock(declared.sample_interval))
        except DataError:
            return found
        asked = found.model_copy(
            update={
                "needs_clock": True,
                "proposed": propose_modality(found, self.kinds),
                "ids": _ids(series.channels),
                "anatomy": Anatomy.of(series.channels),
                "columns": channel_columns(found.path, series.columns),
            }
        )
        if self.clock is None:
            return asked
        clocked = _clocked(asked, series, self.clock, lack.what)
        clocked = clocked.model_copy(update={"proposed": propose_modality(clocked, self.kinds)})
        return _series_facts(clocked, series)


def _clocked(
    found: StreamInspection, series: Series, clock: ClockConfig, lack: str
) -> StreamInspection:
    """The same with the declared times, and without the complaint that they are missing."""
    return found.model_copy(
        update={
            "clock": clock,
            "start": float(series.times[0]),
            "stop": float(series.times[-1]),
            "rate": 1 / (clock.sample_interval or math.inf),
            "problems": tuple(p for p in found.problems if lack not in p),
        }
    )


def _listed(entry: StreamEntry, kinds: frozenset[str], file: str) -> StreamInspection:
    readable = math.isfinite(entry.start) and math.isfinite(entry.stop)
    modality, by_name = fit_modality(entry, kinds, file=file)
    found = StreamInspection(
        path=entry.path,
        kind=entry.kind,
        neurodata_type=entry.neurodata_type,
        n_channels=entry.n_channels,
        n_samples=entry.n_samples,
        start=entry.start if readable else None,
        stop=entry.stop if readable else None,
        rate=entry.rate if math.isfinite(entry.rate) else 0.0,
        unit=entry.unit,
        description=entry.description,
        regions=entry.regions,
        anatomy=None if entry.channels is None else Anatomy.of(entry.channels),
        gaps=entry.gaps,
        modality=modality,
        by_name=by_name,
        installed=not modality or modality in kinds,
        observation="events" if entry.kind == "events" and modality != "spikes" else "",
        problems=entry.problems,
    )
    proposed = propose_modality(found, kinds) if found.usable else ""
    return found.model_copy(update={"proposed": proposed})


def family(path: str) -> str:
    """What paths that differ in numbers only have in common: "roi_001" and "roi_002"."""
    return re.sub(r"\d+", "#", path)


def _refused(found: StreamInspection, error: DataError) -> StreamInspection:
    problems = (*found.problems, f"error: {error.what}; fix: {error.fix}")
    return found.model_copy(update={"problems": problems, "proposed": ""})


def _open_events(source: Source, found: StreamInspection, entry: StreamEntry) -> StreamInspection:
    events = source.events(found.path)
    update = {
        "ids": _ids(events.channels),
        "median_rate": _median_rate(events, found.duration or 0.0),
        "anatomy": Anatomy.of(events.channels),
        "columns": channel_columns(found.path, events.columns),
    }
    return found.model_copy(update=update)


def _median_rate(events: Events, span: float) -> float:
    counts = np.diff(events.offsets)
    observed = np.full(len(counts), span)
    if events.observed is not None:
        observed = np.array([np.diff(o, axis=1).sum() for o in events.observed])
    seen = observed > 0
    return float(np.median(counts[seen] / observed[seen])) if seen.any() else 0.0


def _open_intervals(
    source: Source, found: StreamInspection, entry: StreamEntry
) -> StreamInspection:
    columns = table_columns(found.path, source, names=entry.columns)
    return found.model_copy(update={"columns": columns})


def _open_series(source: Source, found: StreamInspection, entry: StreamEntry) -> StreamInspection:
    return _series_facts(found, source.series(found.path))


def _series_facts(found: StreamInspection, series: Series) -> StreamInspection:
    """What a series says beyond its listing; its values are looked at unless they are many."""
    notes = tuple(f"warning: {note}" for note in series.notes)
    found = found.model_copy(
        update={
            "ids": _ids(series.channels),
            "anatomy": Anatomy.of(series.channels),
            "columns": channel_columns(found.path, series.columns),
            "problems": tuple(dict.fromkeys((*found.problems, *notes))),
        }
    )
    small = math.prod(series.values.shape) <= MAX_VALUES
    return _value_facts(found, series) if small else found


def _value_facts(found: StreamInspection, series: Series) -> StreamInspection:
    """What the values say themselves: which are missing, what kind they are, whether they rest."""
    valid = np.asarray(series.valid)
    values = np.asarray(series.values)[valid]
    observation, missing = observation_of(found, values), 1 - float(np.mean(valid))
    update: dict[str, object] = {"observation": observation, "missing": missing}
    if len(values):
        update["extent"] = (float(values.min()), float(values.max()))
    doubts = []
    if missing > MAX_MISSING:
        doubts.append(
            f"error: {missing:.1%} of the values are missing; at most {MAX_MISSING:.0%} may be; "
            "fix: leave the stream out, or raise its max_missing"
        )
        update["proposed"] = ""
    moving = moving_span(series) if found.proposed and observation in SIGNALS else None
    if moving is not None:
        doubts.append(describe_stillness(series, moving))
        update["moving"] = moving
    return found.model_copy(update=update | {"problems": (*found.problems, *doubts)})


def _ids(channels: Channels) -> tuple[str, ...]:
    return channels.ids if len(channels) <= MAX_WIDE else ()


def _rate(series: Series) -> float:
    """Samples per second, Hz; 0 where a step differs from the median by more than 1 %."""
    if isinstance(series.times, RegularTimes):
        return 1 / series.times.interval
    steps = np.diff(series.times)
    if not len(steps) or np.abs(steps - np.median(steps)).max() > REGULAR * np.median(steps):
        return 0.0
    return float(1 / np.median(steps))


_OPENED = {"events": _open_events, "intervals": _open_intervals, "series": _open_series}
