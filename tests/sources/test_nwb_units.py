"""Spike times of a units table: flat, sorted, checked, with regions and observation."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError


def tamper(path, name, values):
    """Replace a dataset's values, keeping its attributes."""
    with h5py.File(path, "a") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)
    return path


def add_electrodes(nwbfile, locations, *, group_location="unknown"):
    device = nwbfile.create_device(name="probe")
    group = nwbfile.create_electrode_group(
        name="shank", description="One shank.", location=group_location, device=device
    )
    for i, location in enumerate(locations):
        nwbfile.add_electrode(x=10.0 * i, y=1.0, z=2.0, location=location, group=group)
    return group


def test_spikes_are_flat_with_the_ids_of_the_table(units_file, opened):
    events = opened(units_file([0.1, 0.2], [], [0.05], id=[7, 3, 12])).events("units")
    assert events.channels.ids == ("7", "3", "12")
    assert events.times.tolist() == [0.1, 0.2, 0.05]
    assert events.offsets.tolist() == [0, 2, 2, 3]
    assert events.notes == ()


def test_without_obs_intervals_nothing_is_known_of_observation(units_file, opened):
    assert opened(units_file([1.0])).events("units").observed is None


def test_obs_intervals_are_kept_per_unit_in_order(units_file, opened):
    path = units_file([1.0], [2.0], obs_intervals=[[[5, 9], [0, 4]], [[1, 3]]])
    observed = opened(path).events("units").observed
    assert [o.tolist() for o in observed] == [[[0, 4], [5, 9]], [[1, 3]]]


def test_spikes_outside_the_observed_intervals_are_noted(units_file, opened):
    path = units_file([1.0, 8.0], obs_intervals=[[[0, 4]]])
    assert "unit 0 (1)" in opened(path).events("units").notes[0]


def test_an_observed_interval_that_ends_before_it_starts_is_refused(units_file, opened):
    path = units_file([1.0], obs_intervals=[[[4, 0]]])
    with pytest.raises(DataError, match="fix: correct obs_intervals"):
        opened(path).events("units")


def test_unsorted_spikes_are_sorted_and_noted_by_unit(units_file, opened):
    events = opened(units_file([0.5], [0.3, 0.1, 0.2], [0.1, 0.4])).events("units")
    assert events.times.tolist() == [0.5, 0.1, 0.2, 0.3, 0.1, 0.4]
    assert events.notes == ("spike times ran backward and were sorted: unit 1 (1)",)


def test_equal_spike_times_are_kept_and_noted(units_file, opened):
    events = opened(units_file([0.1, 0.1, 0.1], [0.1])).events("units")
    assert len(events.times) == 4
    assert events.notes == ("spikes at the same time as another were kept: unit 0 (2)",)


def test_negative_times_lie_before_the_zero_and_are_kept(units_file, opened):
    assert opened(units_file([-1.5, 2.0])).events("units").times[0] == -1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_time_that_is_no_number_is_refused(units_file, opened, bad):
    path = units_file([0.1], [0.2, bad], id=[4, 5])
    with pytest.raises(DataError, match=r"first at 2 \(unit 5\)\n  fix: remove them"):
        opened(path).events("units")


def test_times_in_samples_are_suspected(units_file, opened):
    notes = opened(units_file(list(np.arange(200.0)))).events("units").notes
    assert "may count samples" in notes[0]


@pytest.mark.parametrize(
    ("index", "what"),
    [
        ([2, 987_786], "beyond 3 values"),
        ([2, 1], "before 2"),
        ([-1, 3], "before 0"),
        ([2, 2**63], "beyond 3 values"),
        ([1.5, 3.0], "type float64"),
    ],
)
def test_a_wrong_ragged_index_is_refused_before_its_data_are_read(units_file, opened, index, what):
    dtype = np.uint64 if 2**63 in index else None
    path = tamper(units_file([0.1, 0.2], [0.3]), "units/spike_times_index", np.array(index, dtype))
    with pytest.raises(DataError, match=f"{what}.*\n  fix: write the table again") as caught:
        opened(path).events("units")
    assert caught.value.exit_code == 3
    assert "spike_times_index" in caught.value.where


def test_an_index_of_another_length_is_refused_in_words(units_file, opened):
    path = tamper(units_file([0.1], [0.3]), "units/spike_times_index", np.array([2]))
    with pytest.raises(DataError, match=r"shape \(1,\) for 2 rows\n  fix: write the table again"):
        opened(path).events("units")


def test_a_wrong_index_is_an_error_in_the_listing_and_no_failure(units_file, opened):
    path = tamper(units_file([0.1], [0.3]), "units/spike_times_index", np.array([1, 99]))
    (entry,) = opened(path).list_streams()
    assert entry.problems[0].startswith("error: the index of the ragged column is wrong")
    assert "fix:" in entry.problems[0]


def test_times_that_belong_to_no_unit_are_noted(units_file, opened):
    path = tamper(units_file([0.1], [0.3]), "units/spike_times_index", np.array([1, 1]))
    events = opened(path).events("units")
    assert len(events.times) == 1
    assert events.notes == ("1 spike times belong to no unit and were ignored",)


def test_no_spike_at_all_is_refused(units_file, opened):
    with pytest.raises(DataError, match=r"none of the 2 neurons has a spike\n  fix: use a file"):
        opened(units_file([], [])).events("units")


def test_a_table_without_rows_is_refused(units_file, opened):
    path = units_file([0.1])
    for name, empty in [("id", np.zeros(0, int)), ("spike_times_index", np.zeros(0, int))]:
        tamper(path, f"units/{name}", empty)
    with pytest.raises(DataError, match=r"no rows\n  fix: use a file with sorted units"):
        opened(path).events("units")


def test_units_without_spike_times_are_refused_naming_their_columns(write_nwb, opened):
    def fill(nwbfile):
        nwbfile.add_unit_column(name="quality", description="How good.")
        nwbfile.add_unit(quality=1.0)

    with pytest.raises(DataError, match=r"columns: quality\n  fix: add spike times in s"):
        opened(write_nwb(fill)).events("units")


def test_doubled_unit_ids_are_refused(units_file, opened):
    path = tamper(units_file([0.1], [0.2]), "units/id", np.array([4, 4]))
    with pytest.raises(DataError, match="more than once: 4\n  fix: give every unit an id"):
        opened(path).events("units")


def test_regions_and_positions_come_through_the_row_numbers_of_the_electrodes(write_nwb, opened):
    def fill(nwbfile):
        add_electrodes(nwbfile, ["VISp", "CA1", "CA1", "unknown"])
        for rows in ([0], [1, 2], [3]):
            nwbfile.add_unit(spike_times=[0.1], electrodes=rows)

    path = write_nwb(fill)
    # Row numbers and ids must not be mixed up.
    tamper(path, "general/extracellular_ephys/electrodes/id", np.array([100, 101, 102, 103]))
    channels = opened(path).events("units").channels
    assert channels.regions == ("VISp", "CA1", "")
    assert channels.positions.tolist() == [[0, 1, 2], [15, 1, 2], [30, 1, 2]]
    assert channels.located.all()


def test_units_across_regions_take_the_commonest_and_say_so(write_nwb, opened):
    def fill(nwbfile):
        add_electrodes(nwbfile, ["VISp", "CA1", "CA1"])
        nwbfile.add_unit(spike_times=[0.1], electrodes=[0, 1, 2])

    events = opened(write_nwb(fill)).events("units")
    assert events.channels.regions == ("CA1",)
    assert "electrodes of units in several regions: 0 (VISp, CA1)" in events.notes


def test_the_electrode_group_tells_the_region_where_the_electrode_does_not(write_nwb, opened):
    def fill(nwbfile):
        group = add_electrodes(nwbfile, ["unknown"], group_location="MOs")
        nwbfile.add_unit(spike_times=[0.1], electrodes=[0], electrode_group=group)

    assert opened(write_nwb(fill)).events("units").channels.regions == ("MOs",)


@pytest.mark.parametrize(
    ("positions", "located"),
    [
        ({"x": [np.nan, 5.0]}, [False, True]),
        ({"x": [0.0, 0.0], "y": [0.0, 0.0], "z": [0.0, 0.0]}, [False, False]),
        ({"x": [0.0, 5.0], "y": [0.0, 0.0], "z": [0.0, 0.0]}, [True, True]),
    ],
)
def test_a_position_of_nan_or_zeros_throughout_is_not_located(
    write_nwb, opened, positions, located
):
    def fill(nwbfile):
        add_electrodes(nwbfile, ["A", "B"])
        for rows in ([0], [1]):
            nwbfile.add_unit(spike_times=[0.1], electrodes=rows)

    path = write_nwb(fill)
    for axis, values in positions.items():
        tamper(path, f"general/extracellular_ephys/electrodes/{axis}", np.array(values))
    channels = opened(path).events("units").channels
    assert channels.located.tolist() == located
    assert np.isfinite(channels.positions).all()


def test_a_unit_on_an_electrode_that_does_not_exist_is_refused(write_nwb, opened):
    def fill(nwbfile):
        add_electrodes(nwbfile, ["A", "B"])
        nwbfile.add_unit(spike_times=[0.1], electrodes=[1])

    path = tamper(write_nwb(fill), "units/electrodes", np.array([17]))
    with pytest.raises(DataError, match=r"row 17.*2 rows\n  fix: the column holds row numbers"):
        opened(path).events("units")


def test_the_listing_spans_what_was_observed(units_file, opened):
    (entry,) = opened(units_file([1.0, 2.0], obs_intervals=[[[0, 10]]])).list_streams()
    assert (entry.path, entry.kind, entry.n_channels, entry.n_samples) == ("units", "events", 1, 2)
    assert (entry.start, entry.stop) == (0, 10)


def test_the_linear_track_recording_has_31_units_watched_throughout(shared_file, opened):
    events = opened(shared_file("spikes/nelpy_linear-track.nwb")).events("units")
    assert len(events.channels) == 31
    assert len(events.times) == 28_829
    assert events.channels.regions == ("",) * 31
    assert {tuple(o[0]) for o in events.observed} == {(4397.0317, 6379.4556)}
