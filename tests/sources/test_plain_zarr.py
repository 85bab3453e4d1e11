"""Zarr folders in the documented layout: known answers, clocks, and what each mistake is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import zarr

from neurodsr.data.lazy import LazyArray, RegularTimes
from neurodsr.errors import DataError
from neurodsr.run_config import RunConfig
from neurodsr.sources import plain_zarr_series
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.open import open_source
from neurodsr.sources.plain_zarr import PlainZarrSource

PAGE = (Path(__file__).parents[2] / "docs" / "zarr_layout.md").read_text(encoding="utf-8")


@pytest.fixture(params=[2, 3])
def write(request, tmp_path):
    """A function that writes members (arrays by name, then attributes) and opens the folder."""
    sources = []

    def make(members=None, root=None, **bare):
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=request.param)
        group.attrs.update(root or {})
        for name, (arrays, attributes) in (members or {}).items():
            member = group.create_group(name, attributes=attributes)
            for key, data in arrays.items():
                member.create_array(key, data=np.asarray(data))
        for name, data in bare.items():
            group.create_array(name, data=np.asarray(data))
        sources.append(PlainZarrSource(tmp_path / "a.zarr"))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


def signal(**more):
    """Arrays of a signal of 4 samples and 2 channels, and others beside it."""
    return {"values": np.arange(8.0).reshape(4, 2), **more}


def test_the_example_of_the_page_reads_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    exec(block, {})
    with open_source(tmp_path / "session.zarr") as source:
        entries = {e.path: e for e in source.list_streams()}
        assert [e.problems for e in entries.values()] == [()] * 3
        assert (entries["running"].rate, entries["running"].start) == (100.0, 0.5)
        units = source.events("units")
        assert np.diff(units.offsets).tolist() == [300, 0, 120]
        assert units.channels.regions == ("CA1", "CA1", "DG")
        assert set(units.channels.position_units) == {"um"}
        assert set(units.channels.spaces) == {"AllenCCFv3"}
        assert source.intervals("trials/choice").columns.keys() == {"choice"}
        assert source.session().subject == "mouse7"


def test_the_configuration_of_the_page_is_one():
    from ruamel.yaml import YAML

    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    plain = YAML(typ="safe", pure=True).load(block)
    base = {"schema_version": 1, "file": "session.zarr", "grid": {"bin_width": 0.1}}
    assert RunConfig.from_plain(base | plain).streams


# ---- series


def test_a_rate_and_a_start_give_the_times(write):
    source = write({"x": (signal(), {"rate": 10.0, "start": 2.0, "unit": "m"})})
    series = source.series("x")
    np.testing.assert_array_equal(series.times, 2.0 + np.arange(4) / 10.0)
    np.testing.assert_array_equal(series.values, np.arange(8.0).reshape(4, 2))
    assert (series.unit, series.channels.ids) == ("m", ("x[0]", "x[1]"))
    assert series.valid.all()


def test_times_are_repaired_as_those_of_nwb_and_said(write):
    times = np.arange(400.0) ** 1.1
    times[[100, 101]] = times[[101, 100]]
    times[200] = times[199]
    source = write({"x": ({"values": np.arange(400.0), "times": times}, {})})
    series = source.series("x")
    assert series.values[[100, 101], 0].tolist() == [101, 100]
    assert len(series.times) == 399
    assert series.notes == (
        "1 timestamps that ran backward were sorted",
        "1 samples with a duplicate timestamp were dropped",
    )
    assert source.list_streams()[0].problems == tuple(f"warning: {n}" for n in series.notes)


def test_nan_and_what_valid_denies_are_masked_with_zero(write):
    values = np.arange(8.0).reshape(4, 2)
    values[0, 0] = np.nan
    arrays = {"values": values, "valid": [True, True, False, True]}
    series = write({"x": (arrays, {"rate": 10.0})}).series("x")
    assert series.valid.tolist() == [[False, True], [True, True], [False, False], [True, True]]
    assert series.values.tolist() == [[0, 1], [2, 3], [0, 0], [6, 7]]
    assert series.notes == ("37.500% of the values are not valid and were masked",)


def test_valid_follows_samples_that_are_sorted(write):
    times = np.arange(400.0) ** 1.1
    times[[100, 101]] = times[[101, 100]]
    valid = np.ones(400, dtype=bool)
    valid[100] = False
    arrays = {"values": np.arange(400.0), "times": times, "valid": valid}
    series = write({"x": (arrays, {})}).series("x")
    assert np.flatnonzero(~series.valid[:, 0]).tolist() == [101]


def test_large_signals_stay_in_the_folder_and_read_alike(write, monkeypatch):
    source = write({"x": (signal(valid=[True, False, True, True]), {"rate": 10.0})})
    eager = source.series("x")
    monkeypatch.setattr(plain_zarr_series, "EAGER_BYTES", 0)
    lazy = source.series("x")
    assert isinstance(lazy.values, LazyArray)
    np.testing.assert_array_equal(lazy.values[1:3], eager.values[1:3])
    np.testing.assert_array_equal(np.asarray(lazy.valid), eager.valid)
    assert lazy.notes == eager.notes


def test_times_of_a_long_regular_signal_are_not_held(write):
    series = write({"x": ({"values": np.ones(2**20 + 1, dtype=np.int8)}, {"rate": 1e3})}).series(
        "x"
    )
    assert isinstance(series.times, RegularTimes)


def test_bare_arrays_share_the_clock_of_the_root(write):
    source = write(root={"rate": 5.0}, a=np.arange(3.0), b=np.arange(6.0).reshape(3, 2))
    assert [e.path for e in source.list_streams()] == ["a", "b"]
    assert source.series("b").times.tolist() == [0, 0.2, 0.4]
    source = write(times=[0.0, 0.3, 0.7], a=np.arange(3.0))
    assert [e.path for e in source.list_streams()] == ["a"]
    assert source.series("a").times.tolist() == [0.0, 0.3, 0.7]


def test_a_declared_interval_or_times_stand_in_for_no_clock(write):
    source = write({"x": (signal(), {}), "camera": ({"times": [0.1, 0.4, 0.6, 0.9]}, {})})
    assert source.series("x", clock=DeclaredClock(interval=0.5)).times.tolist() == [0, 0.5, 1, 1.5]
    declared = DeclaredClock(times="camera/times")
    assert source.series("x", clock=declared).times.tolist() == [0.1, 0.4, 0.6, 0.9]


def test_frame_numbers_become_times_by_a_declared_interval(write):
    source = write({"x": (signal(times=[0, 1, 2, 3]), {})})
    series = source.series("x", clock=DeclaredClock(interval=0.5))
    assert series.times.tolist() == [0, 0.5, 1, 1.5]


@pytest.mark.parametrize(
    ("arrays", "attributes", "fix"),
    [
        (signal(), {}, r"write times \[sample\] in s, or the attribute rate in Hz"),
        (signal(times=[0.0, 0.1]), {}, "one time a sample is needed"),
        (signal(times=[0, 1, 2, 3]), {}, "declare the frame rate"),
        (signal(times=[0.0, 9.0, 1.0, 2.0]), {}, "write one series for each clock"),
        (signal(times=[0.0, 0.1, 0.3, 0.7]), {"rate": 3.0}, "remove one: the array times"),
        (signal(), {"rate": "fast"}, r'write it as a number: group.attrs\["rate"\] = 30.0'),
        (signal(), {"rate": -1.0}, "its real rate in Hz, a positive number"),
        (signal(valid=[True]), {"rate": 1.0}, "write booleans, one a sample or one a value"),
        (signal(positions=[[1.0, 2, 3]]), {"rate": 1.0}, r"x, y and z of each .*\(2, 3\)"),
        (signal(), {"rate": 1.0, "regions": ["CA1"]}, "one entry a channel: a list of 2"),
        (signal(), {"rate": 1.0, "position_unit": "inch"}, "write one of: um, mm, m, voxel"),
        (
            {"values": np.zeros((2, 2, 2))},
            {"rate": 1.0},
            r"numbers of shape \(sample,\)",
        ),
        ({"values": np.full(4, np.nan)}, {"rate": 1.0}, "leave this stream out"),
        ({"other": [1.0]}, {}, r"write values \[sample, channel\] with times"),
    ],
)
def test_a_mistake_in_a_signal_is_told_with_what_to_write(write, arrays, attributes, fix):
    source = write({"x": (arrays, attributes)})
    with pytest.raises(DataError, match=f"fix: .*{fix}"):
        source.series("x")


def test_a_mistake_is_a_problem_of_the_listing(write):
    source = write({"x": (signal(), {}), "y": (signal(), {"rate": 1.0})})
    wrong, right = source.list_streams()
    assert wrong.problems[0].startswith("error: the samples have no time")
    assert (wrong.n_samples, wrong.n_channels, right.problems) == (4, 2, ())


@pytest.mark.parametrize(
    ("clock", "arrays", "attributes", "fix"),
    [
        (DeclaredClock(interval=1.0), {}, {"rate": 1.0}, "remove clock.rate or clock.interval"),
        (DeclaredClock(times="x/values"), {}, {"rate": 1.0}, "remove clock.rate"),
        (DeclaredClock(times="nowhere"), {}, {}, "give the path of an array such as camera/times"),
    ],
)
def test_a_declared_clock_that_does_not_fit_is_refused(write, clock, arrays, attributes, fix):
    source = write({"x": (signal(**arrays), attributes)})
    with pytest.raises(DataError, match=f"fix: {fix}"):
        source.series("x", clock=clock)


# ---- events


def test_codes_and_offsets_say_the_same(write):
    flat = {"times": [0.1, 0.5, 0.2], "offsets": [0, 2, 2, 3]}
    coded = {"times": [0.5, 0.2, 0.1], "channels": [0, 2, 0], "durations": [5.0, 2.0, 1.0]}
    names = {"channel_ids": ["a", "b", "c"]}
    source = write({"flat": (flat, names), "coded": (coded, names)})
    one, two = source.events("flat"), source.events("coded")
    assert one.times.tolist() == two.times.tolist() == [0.1, 0.5, 0.2]
    assert one.offsets.tolist() == two.offsets.tolist() == [0, 2, 2, 3]
    assert one.channels.ids == ("a", "b", "c")
    assert two.durations.tolist() == [1, 5, 2]
    assert two.notes[0] == "1 event times that ran backward were sorted"


def test_observed_holds_for_every_channel(write):
    arrays = {"times": [1.0, 2.0], "offsets": [0, 1, 2], "observed": [[0.0, 3.0], [5.0, 6.0]]}
    events = write({"u": (arrays, {})}).events("u")
    assert [o.tolist() for o in events.observed] == [[[0, 3], [5, 6]]] * 2


@pytest.mark.parametrize(
    ("arrays", "fix"),
    [
        ({}, r"write offsets \[channel \+ 1\], or channels \[event\]"),
        ({"offsets": [0, 2], "channels": [0, 0]}, "one of them"),
        ({"offsets": [0, 1]}, r"numpy.cumsum\(\[0, \*counts\]\)"),
        ({"offsets": [0.0, 2.0]}, "write whole numbers"),
        ({"channels": [0]}, "write 2 entries, or remove the array"),
        ({"channels": [0, -1]}, "the number of each event's channel, from 0"),
        ({"channels": [0, 2**40]}, "the number of each event's channel, from 0"),
        ({"offsets": [0, 2], "durations": [1.0]}, "write 2 entries"),
        ({"offsets": [0, 2], "observed": [[3.0, 1.0]]}, "write start and stop in s of each"),
    ],
)
def test_a_mistake_in_events_is_told_with_what_to_write(write, arrays, fix):
    source = write({"u": ({"times": [1.0, 2.0], **arrays}, {})})
    with pytest.raises(DataError, match=f"fix: .*{fix}"):
        source.events("u")
    assert source.list_streams()[0].problems[0].startswith("error: ")


# ---- intervals


def test_invalid_times_are_those_of_every_stream(write):
    source = write({"invalid_times": ({"starts": [1.0], "stops": [2.0]}, {})})
    assert source.invalid().stops.tolist() == [2.0]
    assert write(root={"rate": 1.0}, a=[1.0]).invalid() is None


@pytest.mark.parametrize(
    ("arrays", "fix"),
    [
        ({"starts": [1.0, np.nan], "stops": [2.0, 3.0]}, "each with its start in s"),
        ({"starts": [1.0, 5.0], "stops": [2.0, 3.0]}, "write starts and stops in s on one clock"),
        ({"starts": [1.0, 5.0], "stops": [2.0]}, "write 2 entries"),
        ({"starts": [1.0], "stops": [2.0], "side": [1, 2]}, "one number or text a row"),
    ],
)
def test_a_mistake_in_intervals_is_told_with_what_to_write(write, arrays, fix):
    source = write({"t": (arrays, {})})
    with pytest.raises(DataError, match=f"fix: .*{fix}"):
        source.intervals("t")


# ---- the folder


def test_a_wrong_path_or_kind_names_what_there_is(write):
    source = write({"speed": (signal(), {"rate": 1.0})})
    with pytest.raises(DataError, match="did you mean 'speed'"):
        source.series("sped")
    with pytest.raises(DataError, match="fix: choose one of: the folder has none"):
        source.events("speed")
    with pytest.raises(DataError, match="fix: `neurodsr inspect` lists"):
        write({"t": ({"starts": [1.0], "stops": [2.0]}, {})}).intervals("t/side")


def test_a_folder_that_changes_or_was_closed_is_not_read(write):
    source = write({"x": (signal(), {"rate": 1.0})})
    (Path(source.path) / "new").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="fix: wait until the program that writes it is done"):
        source.series("x")
    source.close()
    with pytest.raises(DataError, match="fix: read inside `with open_source"):
        source.list_streams()
