"""NWB files that are free to be wrong, and what becomes of them on the way to a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurodsr.data.recording import Recording
from neurodsr.ingest.ingest import ingest
from neurodsr.run_config import RunConfig
from neurodsr.sources.base import Source
from neurodsr.sources.open import open_source

PLACE = "general/extracellular_ephys/electrodes"


class Draft:
    """An NWB file in the making, written without a library that would refuse what is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with h5py.File(path, "w") as file:
            file.attrs["nwb_version"] = "2.7.0"
            file["identifier"], file["session_start_time"] = "draft", "2025-01-15T12:00:00+00:00"

    @contextmanager
    def edit(self) -> Iterator[h5py.File]:
        """The opened file, for whatever the other methods do not offer."""
        with h5py.File(self.path, "a") as file:
            yield file

    def add(self, where: str, kind: str, **members: object) -> Draft:
        """A typed object; a member is a value, or a value with its attributes."""
        with self.edit() as file:
            group = file.create_group(where)
            group.attrs["neurodata_type"], group.attrs["namespace"] = kind, "core"
            for name, member in members.items():
                value, attributes = member if isinstance(member, tuple) else (member, {})
                group[name] = value
                group[name].attrs.update(attributes)
        return self

    def series(
        self, where: str, data: object, *, kind: str = "TimeSeries", rate: float | None = None,
        times: object = None, start: float = 0.0, unit: str = "m", **more: object,
    ) -> Draft:  # fmt: skip
        """A time series with timestamps, a rate, both or neither."""
        scaling = {k: more.pop(k) for k in ("conversion", "offset") if k in more}
        clock: dict[str, object] = {} if times is None else {"timestamps": np.asarray(times)}
        if rate is not None:
            clock["starting_time"] = (start, {"rate": rate})
        return self.add(
            where, kind, data=(np.asarray(data), {"unit": unit, **scaling}), **clock, **more
        )

    def units(self, *trains: list[float], index: object = None, **columns: object) -> Draft:
        """A units table, one row a spike train."""
        ends = np.cumsum([len(t) for t in trains]) if index is None else index
        times = np.concatenate([np.asarray(t, dtype=float) for t in trains])
        ids = np.arange(len(trains))
        return self.add(
            "units", "Units", id=ids, spike_times=times, spike_times_index=ends, **columns
        )

    def trials(self, starts: object, stops: object, **columns: object) -> Draft:
        """A table of trials."""
        table = {"start_time": np.asarray(starts, float), "stop_time": np.asarray(stops, float)}
        ids = np.arange(len(table["start_time"]))
        return self.add("intervals/trials", "TimeIntervals", id=ids, **table, **columns)

    def electrodes(self, *locations: str, **columns: object) -> Draft:
        """A table of electrodes with their locations as text."""
        columns = {"id": np.arange(len(locations)), **columns}
        return self.add(PLACE, "DynamicTable", location=list(locations), **columns)

    def rows(self, values: object, table: str = PLACE) -> tuple[np.ndarray, dict[str, object]]:
        """A column that names rows of another table, by default of the electrodes."""
        with self.edit() as file:
            reference = file[table].ref
        return np.asarray(values), {"neurodata_type": "DynamicTableRegion", "table": reference}

    def open(self) -> Source:
        """The file as neurodsr opens it, a context manager."""
        return open_source(self.path)


@pytest.fixture
def draft(tmp_path) -> Draft:
    """An NWB file without content, to be filled."""
    return Draft(tmp_path / "session.nwb")


@pytest.fixture
def ingested() -> Callable[..., Recording]:
    """A function that takes streams of a file through the whole ingest."""

    def run(path: Path, *, bin_width: float = 0.1, **streams: dict) -> Recording:
        plain = {
            "schema_version": 1,
            "file": path.name,
            "grid": {"bin_width": bin_width},
            "streams": streams,
        }
        return ingest(RunConfig.from_plain(plain), root=path.parent)

    return run
