"""What a units table holds beside spike times: quality, cell types, observation, odd types."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.sources.nwb_units import _outside, _sort


def add_columns(path, **columns):
    """Add plain columns to the units of a file."""
    with h5py.File(path, "a") as file:
        for name, values in columns.items():
            file[f"units/{name}"] = values
        names = [*file["units"].attrs["colnames"], *columns]
        file["units"].attrs["colnames"] = np.array(names, dtype=h5py.string_dtype())
    return path


def test_plain_columns_come_with_the_units_for_choosing_among_them(units_file, opened):
    path = add_columns(
        units_file([0.1], [0.2]),
        quality=np.array(["good", "mua"], dtype=h5py.string_dtype()),
        snr=np.array([3.5, np.nan], dtype=np.float32),
        n_spikes=np.array([1, 1], dtype=np.int16),
        waveforms=np.zeros((2, 5)),
    )
    columns = opened(path).events("units").columns
    assert set(columns) == {"quality", "snr", "n_spikes"}
    assert columns["quality"].tolist() == ["good", "mua"]
    assert columns["snr"].dtype == np.float64


@pytest.mark.parametrize("name", ["cell_type", "putative_cell_type"])
def test_cell_types_are_kept_word_for_word(units_file, opened, name):
    words = np.array(["PV+ fast-spiking", "unknown"], dtype=h5py.string_dtype())
    path = add_columns(units_file([0.1], [0.2]), **{name: words})
    assert opened(path).events("units").channels.cell_types == ("PV+ fast-spiking", "")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, ">i4"])
def test_an_index_of_any_whole_type_is_understood(units_file, opened, dtype):
    path = units_file([0.1, 0.2], [], [0.3])
    with h5py.File(path, "a") as file:
        attributes = dict(file["units/spike_times_index"].attrs)
        del file["units/spike_times_index"]
        file["units/spike_times_index"] = np.array([2, 2, 3], dtype=dtype)
        file["units/spike_times_index"].attrs.update(attributes)
    assert opened(path).events("units").offsets.tolist() == [0, 2, 2, 3]


def test_spikes_that_all_lie_before_the_zero_are_noted(units_file, opened):
    events = opened(units_file([-2.0, -1.5])).events("units")
    assert events.notes == ("2 spikes lie before the file's time 0 and were kept",)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_spikes_outside_many_overlapping_stretches_are_counted_as_one_by_one(seed):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 10, 400))
    offsets, ids = np.array([0, 150, 150, 400]), ("a", "b", "c")
    starts = np.sort(rng.uniform(0, 10, (3, 20)), axis=1)
    observed = tuple(np.stack([s, s + rng.uniform(0, 0.5, 20)], axis=1) for s in starts)
    times[:150], times[150:] = np.sort(times[:150]), np.sort(times[150:])
    expected = [
        sum(not any(a <= t <= b for a, b in mine) for t in times[first:last])
        for mine, first, last in zip(observed, offsets[:-1], offsets[1:], strict=True)
    ]
    (note,) = _outside(times, offsets, ids, observed)
    counts = [f"unit {i} ({n})" for i, n in zip(ids, expected, strict=True) if n]
    assert note.endswith(": " + ", ".join(counts))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_only_steps_within_a_unit_count_as_backward_or_equal(seed):
    rng = np.random.default_rng(seed)
    trains = [np.round(rng.uniform(0, 5, n), 1) for n in (0, 1, 30, 0, 20, 2)]
    offsets = np.cumsum([0, *map(len, trains)])
    times, ids = np.concatenate(trains), tuple("abcdef")
    notes = " ".join(_sort(times, offsets, ids))
    for train, name in zip(trains, ids, strict=True):
        back, same = int((np.diff(train) < 0).sum()), int((np.diff(np.sort(train)) == 0).sum())
        assert (f"unit {name} ({back})" in notes.split("spikes at")[0]) == (back > 0)
        assert (f"unit {name} ({same})" in notes.split("spikes at")[-1]) == (same > 0)
    np.testing.assert_array_equal(times, np.concatenate([np.sort(t) for t in trains]))
