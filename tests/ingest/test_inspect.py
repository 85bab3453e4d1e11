"""What inspect says of a file: streams, clock, anatomy, columns and problems."""

from __future__ import annotations

import hashlib
import json
import math

import h5py
import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, RegularTimes
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError
from neurodsr.ingest import inspect as module
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.inspect_columns import describe_column
from neurodsr.ingest.inspect_streams import (
    MAX_ALIKE,
    MAX_OPENED,
    MAX_VALUES,
    MAX_WIDE,
    family,
)
from neurodsr.ingest.inspection import Anatomy, Inspection
from neurodsr.modalities.clock import ClockConfig
from neurodsr.sources.base import SessionInfo, Source, StreamEntry


def entry(path: str, kind: str = "series", **fields: object) -> StreamEntry:
    plain = {
        "neurodata_type": "TimeSeries", "n_channels": 1, "n_samples": 100, "start": 0.0,
        "stop": 99.0, "rate": 1.0, "unit": "m", "description": "", "modality": "behavior",
    }  # fmt: skip
    return StreamEntry(path=path, kind=kind, **(plain | fields))


def signal(values: object = None, *, notes: tuple[str, ...] = (), **columns: object) -> Series:
    x = np.sin(np.arange(100.0)) if values is None else np.asarray(values, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    channels = Channels(tuple(f"c{i}" for i in range(x.shape[1])))
    times = RegularTimes(0.0, 1.0, len(x))
    return Series(x, np.ones(x.shape, dtype=bool), times, channels, "m", notes, columns)


class FakeSource(Source):
    """A source that holds what it is given and remembers what was asked of it."""

    def __init__(self, entries, things=None, needs_clock=(), inputs=(), remedy="clock: {rate: HZ}"):
        self.path, self.entries, self.things = "fake", entries, things or {}
        self.unclocked, self.light, self.asked = frozenset(needs_clock), inputs, []
        self.remedy = remedy

    def list_streams(self):
        return self.entries

    def events(self, path):
        return self._give(path)

    def series(self, path, *, clock=None):
        found = self._give(path)
        if path in self.unclocked:
            if clock is None:
                raise DataError("no clock is known", fix=self.remedy)
            found = found._replace(times=RegularTimes(0.0, clock.interval, len(found.times)))
        return found

    def intervals(self, path):
        return self._give(path)

    def inputs(self):
        return self.light

    def session(self):
        return SessionInfo("session-1", warnings=("an old schema",))

    def close(self):
        pass

    def _give(self, path):
        self.asked.append(path)
        if path not in self.things:
            raise DataError(f"{path} is broken", fix="mend it")
        return self.things[path]


@pytest.fixture
def look_at(monkeypatch, tmp_path):
    """A function that inspects a source made of the given entries and things."""

    def look(*entries, clock=None, only=(), **how):
        file = tmp_path / "fake"
        file.write_bytes(b"bytes of a recording")
        source = FakeSource(list(entries), **how)
        monkeypatch.setattr(module, "open_source", lambda _: source)
        found = inspect_file(file, clock=clock, only=only)
        json.dumps(found.to_plain(), allow_nan=False)
        assert Inspection.from_plain(found.to_plain()) == found
        return found, source

    return look


def test_the_file_itself_is_told_with_its_size_and_checksum(look_at):
    found, _ = look_at()
    assert found.size == 20
    assert found.sha256 == hashlib.sha256(b"bytes of a recording").hexdigest()
    assert found.identifier == "session-1"
    assert found.problems == ("warning: an old schema",)


def test_a_file_above_the_limit_is_not_hashed(look_at, monkeypatch):
    monkeypatch.setattr(module, "MAX_HASHED", 19)
    assert look_at()[0].sha256 == ""


@pytest.mark.parametrize(
    ("modality", "installed", "proposed"),
    [("behavior", True, "behavior"), ("calcium", False, "behavior"), ("spikes", True, "spikes")],
)
def test_what_fits_is_named_whether_or_not_it_is_installed(
    look_at, monkeypatch, modality, installed, proposed
):
    plugins = [p for p in module.list_plugins() if p.kind in ("spikes", "behavior")]
    monkeypatch.setattr(module, "list_plugins", lambda: plugins)
    found, _ = look_at(entry("x", modality=modality), things={"x": signal()})
    (stream,) = found.streams
    assert (stream.modality, stream.installed, stream.proposed) == (modality, installed, proposed)


def test_where_no_kind_is_evident_the_largest_signal_is_proposed_as_a_plain_one(look_at):
    entries = [
        entry("column", modality=""),
        entry("table", modality="", n_channels=3),
        entry("transposed", modality="", n_channels=1000),
    ]
    things = {"column": signal(), "table": signal(np.eye(100)[:, :3]),
              "transposed": signal(np.zeros((100, 1000)))}  # fmt: skip
    found, _ = look_at(*entries, things=things)
    assert [s.proposed for s in found.streams] == ["", "behavior", ""]
    found, _ = look_at(*entries, entry("known"), things=things | {"known": signal()})
    assert [s.proposed for s in found.streams] == ["", "", "", "behavior"]


def test_events_that_nothing_takes_are_not_proposed_as_a_signal(look_at):
    events = Events(np.arange(5.0), np.array([0, 5]), Channels(("lick",)), None)
    found, _ = look_at(
        entry("licks", "events", modality="touch", rate=0.0), things={"licks": events}
    )
    assert found.streams[0].proposed == ""


def test_a_units_table_tells_its_rate_its_places_and_its_columns(look_at):
    channels = Channels(
        ("a", "b", "c"), regions=("CA1", "CA1", ""), positions=np.ones((3, 3)),
        located=np.array([True, True, False]), position_units=("mm", "mm", "unknown"),
        spaces=("AllenCCFv3", "AllenCCFv3", "unknown"), hemispheres=("left", "", ""),
        anatomy_sources=("electrodes", "electrodes", ""),
    )  # fmt: skip
    observed = tuple(np.array([[0.0, length]]) for length in (50.0, 100.0, 100.0))
    events = Events(
        np.arange(90.0), np.array([0, 50, 60, 90]), channels, observed,
        columns={"quality": np.array(["good", "good", "N/A"])},
    )  # fmt: skip
    found, _ = look_at(
        entry("units", "events", modality="spikes", rate=0.0), things={"units": events}
    )
    (stream,) = found.streams
    assert stream.median_rate == pytest.approx(0.3)
    assert stream.anatomy == Anatomy(
        regions={"CA1": 2}, n_unlabeled=1, n_located=2, position_units=("mm",),
        spaces=("AllenCCFv3",), hemispheres={"left": 1}, cell_types={}, sources=("electrodes",),
    )  # fmt: skip
    (column,) = stream.columns
    assert (column.path, column.levels, column.n_missing) == ("units/quality", ("good",), 1)


def test_a_stream_of_which_no_place_is_known_has_no_anatomy(look_at):
    found, _ = look_at(entry("x"), things={"x": signal()})
    assert found.streams[0].anatomy is None


def test_values_that_are_missing_are_never_levels_of_a_label(look_at):
    choice = np.array(["left", "N/A", "right", "", "left"])
    trials = Intervals(np.arange(5.0), np.arange(5.0) + 0.5, {"choice": choice})
    found, _ = look_at(
        entry("intervals/trials", "intervals", modality=""), things={"intervals/trials": trials}
    )
    (column,) = found.streams[0].columns
    assert (column.levels, column.n_missing) == (("left", "right"), 2)
    assert column.proposed == "behavior"


def test_numbers_tell_where_they_lie_and_zero_has_no_sign():
    column = describe_column("x", np.array([np.nan, -0.0, 2.5, np.inf]))
    assert (column.levels, column.extent, column.n_missing) == (("0", "2.5", "inf"), (0, 2.5), 1)
    assert describe_column("x", np.array(["a"])).extent is None


@pytest.mark.parametrize(
    ("name", "values"),
    [("choice", np.array(["left"] * 5)), ("choice", np.arange(5) / 3), ("contrast", [0, 1] * 2)],
    ids=["one level", "not whole", "no label by name"],
)
def test_other_columns_are_shown_but_not_proposed_as_labels(look_at, name, values):
    values = np.asarray(values)
    trials = Intervals(np.arange(len(values)) * 1.0, np.arange(len(values)) + 0.5, {name: values})
    found, _ = look_at(
        entry("intervals/trials", "intervals", modality=""), things={"intervals/trials": trials}
    )
    (column,) = found.streams[0].columns
    assert column.proposed == ""


def test_a_series_named_like_a_choice_with_few_whole_values_is_labels(look_at):
    found, _ = look_at(
        entry("behavior/choice"), things={"behavior/choice": signal(np.arange(100) % 2)}
    )
    assert found.streams[0].observation == "categorical"


def test_what_reading_repaired_is_a_warning_and_still_ends_are_told(look_at):
    values = [*np.sin(np.arange(50)), *[2.0] * 50]
    found, _ = look_at(entry("x"), things={"x": signal(values, notes=("3 values were masked",))})
    (stream,) = found.streams
    assert stream.problems[0] == "warning: 3 values were masked"
    assert "no channel changes after 50 s" in stream.problems[1]
    assert stream.moving == (0.0, 50.0)


def test_a_stream_that_cannot_be_read_says_why_and_hides_no_other(look_at):
    found, _ = look_at(entry("x"), entry("y"), things={"y": signal()})
    broken, whole = found.streams
    assert broken.problems == ("error: x is broken; fix: mend it",)
    assert (broken.usable, broken.proposed) == (False, "")
    assert whole.usable


def test_a_signal_that_lacks_too_many_values_is_told_and_not_proposed(look_at):
    full = signal()
    valid = np.arange(100)[:, None] % 4 > 0
    lossy = full._replace(valid=valid, values=np.where(valid, full.values, 0.0))
    found, _ = look_at(entry("x"), entry("y"), things={"x": lossy, "y": full})
    x, y = found.streams
    assert (x.missing, x.proposed, y.proposed) == (0.25, "", "behavior")
    assert x.problems[0].startswith("error: 25.0% of the values are missing")
    assert "max_missing" in x.problems[0]


def test_a_missing_clock_is_told_and_a_declared_one_is_used(look_at):
    what = {"things": {"x": signal()}, "needs_clock": ["x"]}
    unclocked = entry("x", start=math.nan, stop=math.nan, rate=0.0,
                      problems=("error: no clock is known; fix: give one",))  # fmt: skip
    (stream,) = look_at(unclocked, **what)[0].streams
    assert (stream.needs_clock, stream.usable, stream.proposed) == (True, False, "behavior")
    (stream,) = look_at(unclocked, clock=ClockConfig(rate=4.0), **what)[0].streams
    assert (stream.start, stream.stop, stream.rate) == (0.0, 99 / 4, 4.0)
    assert (stream.usable, stream.problems) == (True, ())


def test_a_declared_rate_leaves_streams_alone_that_have_their_times(look_at):
    found, _ = look_at(entry("x"), things={"x": signal()}, clock=ClockConfig(rate=4.0))
    assert (found.streams[0].rate, found.streams[0].clock) == (1.0, None)


def test_a_stream_that_is_broken_otherwise_is_not_blamed_on_its_clock(look_at):
    broken = entry("x", start=math.nan, stop=math.nan, problems=("error: x is broken",))
    assert not look_at(broken)[0].streams[0].needs_clock


def test_a_rate_does_not_hide_that_the_file_has_its_axes_exchanged(look_at):
    turned = entry("x", start=math.nan, stop=math.nan, problems=("warning: time is second",))
    found, _ = look_at(turned, things={"x": signal()}, needs_clock=["x"], remedy="path: x.T",
                       clock=ClockConfig(rate=4.0))  # fmt: skip
    (stream,) = found.streams
    assert (stream.needs_clock, stream.usable, stream.proposed) == (False, False, "")


@pytest.mark.parametrize("n", [MAX_VALUES, MAX_OPENED])
def test_the_values_of_a_large_series_are_not_looked_at(look_at, n):
    def refuse(key: object) -> np.ndarray:
        raise AssertionError("the values of a large series were read")

    lazy = LazyArray(refuse, shape=(n, 4), dtype=np.float64)
    channels = Channels(("a", "b", "c", "d"), regions=("CA1",) * 4)
    large = Series(lazy, lazy, RegularTimes(0.0, 1e-3, n), channels, "V")
    found, source = look_at(
        entry("raw", n_channels=4, n_samples=n, channels=channels), things={"raw": large}
    )
    assert found.streams[0].anatomy.regions == {"CA1": 4}
    assert found.streams[0].moving is None
    assert bool(source.asked) == (4 * n <= MAX_OPENED)


def test_of_thousands_that_are_named_alike_only_some_are_opened(look_at):
    paths = [f"acquisition/roi_{i:04d}" for i in range(3 * MAX_ALIKE)]
    found, source = look_at(*map(entry, paths), things=dict.fromkeys(paths, signal()))
    assert len(source.asked) == MAX_ALIKE
    assert len(found.streams) == len(paths)
    assert all(s.proposed == "behavior" for s in found.streams)


@pytest.mark.parametrize(("modality", "opened"), [("", False), ("calcium", True)])
def test_of_thousands_of_channels_the_listing_does_unless_something_takes_them(
    look_at, modality, opened
):
    wide = entry("acquisition", modality=modality, n_channels=MAX_WIDE + 1, n_samples=4)
    things = {"acquisition": signal(np.ones((4, MAX_WIDE + 1)))}
    found, source = look_at(wide, things=things)
    assert bool(source.asked) == opened
    assert found.streams[0].usable


def test_names_that_differ_in_numbers_only_are_one_family():
    assert family("a/roi_001") == family("a/roi_17") != family("a/other_1")


def lick_events(*ids: str, notes: tuple[str, ...] = ()) -> Events:
    n = len(ids)
    return Events(np.arange(4.0 * n), 4 * np.arange(n + 1), Channels(ids), None, notes)


def test_licks_are_behavior_and_other_events_wait_to_be_named(look_at):
    entries = [
        entry(f"acquisition/{name}", "events", modality="", rate=0.0) for name in ("licks", "ttl")
    ]
    things = {e.path: lick_events(e.path.split("/")[1], "b") for e in entries}
    licks, ttl = look_at(*entries, things=things)[0].streams
    assert (licks.modality, licks.by_name, licks.proposed) == ("behavior", True, "behavior")
    assert (licks.observation, licks.ids) == ("events", ("licks", "b"))
    assert (ttl.modality, ttl.proposed) == ("", "")
    licks, ttl = look_at(*entries, things=things, only=["acquisition/ttl"])[0].streams
    assert (licks.proposed, ttl.proposed, ttl.observation) == ("", "behavior", "events")


@pytest.mark.parametrize(
    ("notes", "proposed"),
    [((), "behavior"), (("9 of 9 times lie outside of their own row: do they ...?",), "")],
)
def test_lick_times_of_trials_are_events_unless_they_count_from_each_trial(
    look_at, notes, proposed
):
    trials = Intervals(np.arange(5.0), np.arange(5.0) + 0.5, {"contrast": np.arange(5)})
    path, columns = "intervals/trials", ("contrast", "lick_times", "spike_times")
    things = {path: trials, f"{path}/lick_times": lick_events("lick_times", notes=notes)}
    found, source = look_at(entry(path, "intervals", modality="", columns=columns), things=things)
    _, times = found.streams[0].columns
    assert (times.path, times.proposed) == (f"{path}/lick_times", proposed)
    assert (times.observation, times.n_levels, times.extent) == ("events", 4, (0.0, 3.0))
    assert f"{path}/spike_times" not in source.asked


def test_a_column_of_lick_times_that_cannot_be_read_hides_no_other(look_at):
    trials = Intervals(np.arange(2.0), np.arange(2.0) + 0.5, {"choice": np.array([0, 1])})
    found, _ = look_at(
        entry("intervals/trials", "intervals", modality="", columns=("choice", "lick_times")),
        things={"intervals/trials": trials},
    )
    assert [c.proposed for c in found.streams[0].columns] == ["behavior", ""]


def test_a_column_whose_levels_name_what_an_animal_does_is_labels(look_at):
    kinds = {"type": np.array(["lick left", "neither"]), "side": np.array(["left", "right"])}
    trials = Intervals(np.arange(2.0), np.arange(2.0) + 0.5, kinds)
    found, _ = look_at(
        entry("intervals/trials", "intervals", modality=""), things={"intervals/trials": trials}
    )
    assert [c.observation for c in found.streams[0].columns] == ["categorical", ""]


def test_channels_are_named_with_the_extent_of_their_values_unless_they_are_very_many(look_at):
    many = signal(np.ones((4, MAX_WIDE + 1)))
    entries = [entry("x"), entry("wide", modality="calcium", n_channels=MAX_WIDE + 1)]
    x, wide = look_at(*entries, things={"x": signal(np.arange(100.0)), "wide": many})[0].streams
    assert (x.ids, x.extent) == (("c0",), (0.0, 99.0))
    assert (wide.ids, wide.extent) == ((), (1.0, 1.0))


def test_a_named_array_of_bold_is_fmri_once_it_has_its_clock(look_at):
    how = {"things": {"bold.T": signal()}, "needs_clock": ["bold.T"], "only": ["bold.T"]}
    (stream,) = look_at(clock=ClockConfig(interval=2.0), **how)[0].streams
    assert (stream.modality, stream.proposed) == ("fmri", "fmri")
    (stream,) = look_at(clock=ClockConfig(interval=0.1), **how)[0].streams
    assert (stream.modality, stream.proposed) == ("fmri", "behavior")


def test_a_named_stream_is_proposed_and_no_other(look_at):
    things = {"x": signal(), "y": signal()}
    found, _ = look_at(entry("x"), entry("y", modality=""), things=things, only=["y"])
    assert [s.proposed for s in found.streams] == ["", "behavior"]


def test_a_named_stream_need_not_be_listed(look_at):
    laid_out = signal()._replace(times=np.r_[0.0:50.0, 100.0:150.0])
    found, _ = look_at(entry("x"), things={"x": signal(), "x.trials": laid_out}, only=["x.trials"])
    listed, named = found.streams
    assert (listed.proposed, named.proposed) == ("", "behavior")
    assert (named.path, named.n_samples, named.stop, named.rate) == ("x.trials", 100, 149.0, 0.0)


def test_a_named_stream_without_a_clock_takes_the_declared_one_or_is_refused(look_at):
    how = {"things": {"x.T": signal()}, "needs_clock": ["x.T"], "only": ["x.T"]}
    (stream,) = look_at(clock=ClockConfig(interval=0.5), **how)[0].streams
    assert (stream.rate, stream.stop, stream.clock.interval) == (2.0, 49.5, 0.5)
    with pytest.raises(DataError, match=r"fix: clock: \{rate: HZ\}"):
        look_at(**how)


def test_a_named_column_of_the_trials_is_proposed_as_labels(look_at):
    trials = Intervals(np.arange(2.0), np.arange(2.0) + 0.5, {"contrast": np.array([0, 1])})
    found, _ = look_at(
        entry("intervals/trials", "intervals", modality=""), entry("x"),
        things={"intervals/trials": trials, "x": signal()}, only=["intervals/trials/contrast"],
    )  # fmt: skip
    assert found.streams[0].columns[0].proposed == "behavior"
    assert found.streams[1].proposed == ""


def test_inputs_are_told_with_their_reason(look_at):
    light = {"path": "stimulus/light", "name": "laser", "unit": "W", "reason": "light in watts"}
    found, _ = look_at(inputs=(light,))
    (given,) = found.inputs
    assert (given.name, given.reason, given.config.unit) == ("laser", "light in watts", "W")


def test_the_demo_session_is_found_whole(demo):
    found = inspect_file(demo)
    by_path = {s.path: s for s in found.streams}
    units = by_path["units"]
    assert (units.proposed, units.n_channels) == ("spikes", 6)
    assert sum(units.anatomy.regions.values()) == 6
    assert units.regions == ("CA1", "MOs", "VISp")
    assert units.median_rate == pytest.approx(units.n_samples / 60, rel=0.5)
    assert by_path["processing/behavior/Position/position"].proposed == "behavior"
    assert by_path["processing/simulation/state"].proposed == ""
    assert found.sha256 == hashlib.sha256(demo.read_bytes()).hexdigest()
    assert found.species == "Mus musculus"


def test_the_truth_of_a_simulated_session_is_found(demo):
    truth = inspect_file(demo).truth
    assert truth is not None
    assert truth.path == "processing/simulation/state"
    assert truth.exponent == pytest.approx(0.906, abs=0.01)


@pytest.fixture
def many_series(tmp_path):
    """An NWB file of 600 series of two lengths, with a group and two datasets each."""
    path = tmp_path / "many.nwb"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs.update({"nwb_version": "2.6.0", "neurodata_type": "NWBFile"})
        file.attrs["namespace"] = "core"
        file["identifier"], file["session_start_time"] = "many", "2025-01-15T12:00:00+00:00"
        file["session_description"] = "Many series."
        for i in range(600):
            group = file.create_group(f"acquisition/series_{i:04d}")
            group.attrs.update({"neurodata_type": "TimeSeries", "namespace": "core"})
            data = group.create_dataset("data", data=np.sin(np.arange(20.0 + i % 2) + i))
            data.attrs.update({"unit": "V", "conversion": 1.0, "offset": 0.0})
            start = group.create_dataset("starting_time", data=0.0)
            start.attrs.update({"rate": 10.0, "unit": "seconds"})
    return path


def test_every_one_of_many_series_is_listed(many_series):
    found = inspect_file(many_series)
    assert sum(s.path.startswith("acquisition/series_") for s in found.streams) == 600
