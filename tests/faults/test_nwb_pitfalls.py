"""What real NWB files get wrong in versions, tables and references; numbers are the pitfalls'."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.open import open_source

OPTO = "sub-anm00239123_{}ecephys+ogen.nwb"
REAL = "opto/" + OPTO.format("ses-20170627T093549_")
INDICES = ["u1", "i4", "u8", "i8"]


def spike_trains(events) -> dict[str, list[float]]:
    ends = events.offsets
    return {
        name: events.times[ends[c] : ends[c + 1]].tolist()
        for c, name in enumerate(events.channels.ids)
    }


def test_pitfall_01_a_file_of_nwb_1_is_refused_by_its_version(tmp_path):
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    with pytest.raises(DataError, match=r"version 'NWB-1\.0\.6'.*\n  fix: ask for an NWB 2 copy"):
        open_source(tmp_path / "old.nwb")


def test_pitfall_02_an_old_cached_schema_and_a_removed_type_hide_nothing_else(draft):
    draft.series("acquisition/speed", np.arange(50.0), rate=10.0)
    draft.add("acquisition/sweeps", "RemovedSweepType", data=np.zeros(3))
    with draft.edit() as file:
        text = '{"groups": [{"neurodata_type_def": "TimeSeries", "neurodata_type_inc": "Gone"}]}'
        file.create_group("specifications/core/2.0.0")["nwb.base"] = text
    with draft.open() as source:
        assert [e.path for e in source.list_streams()] == ["acquisition/speed"]
        assert len(source.series("acquisition/speed").times) == 50


def test_pitfall_03_an_extension_without_its_schema_is_a_warning_and_no_failure(draft):
    draft.series("acquisition/speed", np.arange(50.0), rate=10.0)
    draft.add("acquisition/thing", "LabThing", data=np.zeros(3))
    with draft.edit() as file:
        file["acquisition/thing"].attrs["namespace"] = "ndx-lab"
    with draft.open() as source:
        (warning,) = [w for w in source.session().warnings if "extension" in w]
        assert "'ndx-lab' is used but not described" in warning
        assert "pip install ndx-lab" in warning
        assert [e.path for e in source.list_streams()] == ["acquisition/speed"]


@pytest.mark.parametrize("ends", [[2, 987_786], [2, 2**40], [-1, 3], [3, 2]])
def test_pitfall_04_a_ragged_index_beyond_its_data_is_refused(draft, ends):
    draft.units([0.1, 0.2], [0.3], index=np.array(ends))
    fix = r"index of the ragged column is wrong.*\n  fix: write the table again from its origin"
    with draft.open() as source:
        with pytest.raises(DataError, match=fix):
            source.events("units")
        (entry,) = source.list_streams()
    assert entry.problems[0].startswith("error: the index of the ragged column is wrong")


@pytest.mark.parametrize("kind", INDICES)
def test_pitfall_05_every_integer_type_of_an_index_and_of_row_numbers_reads_alike(draft, kind):
    draft.electrodes("CA1", "CA3", "DG")
    electrodes, attributes = draft.rows(np.array([2, 0, 1], dtype=kind))
    draft.units(
        [0.1, 0.2], [0.3], index=np.array([2, 3], dtype=kind),
        electrodes=(electrodes, attributes), electrodes_index=np.array([1, 3], dtype=kind),
    )  # fmt: skip
    with draft.open() as source:
        events = source.events("units")
    assert spike_trains(events) == {"0": [0.1, 0.2], "1": [0.3]}
    assert events.channels.regions == ("DG", "CA1")


def test_pitfall_05_numbers_of_2_to_the_63_do_not_wrap_around(draft):
    huge = np.array([1, 2**63], dtype="u8")
    draft.units([0.1, 0.2], [0.3], index=huge)
    with (
        draft.open() as source,
        pytest.raises(DataError, match=f"ends at {2**63}, beyond 3 values"),
    ):
        source.events("units")


@pytest.mark.parametrize(("row", "named"), [(2**63, 2**63), (7, 7), (-1, -1)])
def test_pitfall_05_a_row_that_the_table_lacks_is_named(draft, row, named):
    draft.electrodes("CA1", "CA3")
    kind = "u8" if row > 2**62 else "i8"
    draft.units([0.1], [0.3], electrodes=draft.rows(np.array([0, row], dtype=kind)))
    with (
        draft.open() as source,
        pytest.raises(
            DataError,
            match=rf"names row {named} of electrodes.*\n  fix: the column holds row numbers",
        ),
    ):
        source.events("units")


def test_pitfall_06_unsorted_negative_and_resetting_spike_times_are_sorted_and_counted(draft):
    draft.units([5.0, 6.0, 0.5, 1.5], [-0.2, 0.1, 3.0])
    with draft.open() as source:
        events = source.events("units")
    assert spike_trains(events) == {"0": [0.5, 1.5, 5.0, 6.0], "1": [-0.2, 0.1, 3.0]}
    assert events.notes == (
        "1 spikes lie before the file's time 0 and were kept",
        "spike times ran backward and were sorted: unit 0 (1)",
    )


def test_pitfall_07_units_alive_for_part_of_the_session_are_masked_outside(shared_file, ingested):
    recording = ingested(shared_file(REAL), bin_width=1.0, units={"kind": "spikes"})
    units, centers = recording.streams["units"], recording.grid.centers
    alive = units.mask[:, units.channels.ids.index("2")]
    assert centers[alive].min() == pytest.approx(1880, abs=2)
    assert centers[alive].max() == pytest.approx(2405, abs=2)
    (note,) = [n for n in recording.notes if "no obs_intervals" in n]
    assert "count as observed only from their first to their last spike" in note


def test_pitfall_08_trials_that_count_from_their_own_start_are_refused(draft):
    draft.trials(np.zeros(10), np.linspace(1, 2, 10))
    fix = r"count from the start of each trial.*\n  fix: write start_time and stop_time"
    with draft.open() as source, pytest.raises(DataError, match=fix):
        source.intervals("intervals/trials")


def test_pitfall_08_trials_without_duration_are_listed_and_hold_no_bin(draft, ingested):
    draft.trials([0, 2, 4, 6], [2, 2, 6, 8], choice=["left", "right", "right", "left"])
    with draft.open() as source:
        (entry,) = source.list_streams()
    assert entry.problems == ("warning: 1 rows of no duration, which hold no bin",)
    choice = {"kind": "behavior", "path": "intervals/trials/choice", "observation": "categorical"}
    stream = ingested(draft.path, bin_width=1.0, choice=choice).streams["choice"]
    assert stream.mask[:, 0].tolist() == [True, True, False, False, True, True, True, True]


def test_pitfall_09_not_available_in_words_and_numbers_is_masked_and_counted(draft, ingested):
    draft.trials(
        np.arange(6.0), np.arange(1.0, 7.0), cue=[0.5, np.nan, 0.5, 1.5, np.nan, 0.5],
        choice=["left", "N/A", "right", "n/a", "left", "right"],
    )  # fmt: skip
    streams = {
        name: {"kind": "behavior", "path": f"intervals/trials/{name}", "observation": "categorical"}
        for name in ("cue", "choice")
    }
    recording = ingested(draft.path, bin_width=1.0, **streams)
    assert recording.streams["choice"].channels.levels == ("left", "right")
    assert recording.streams["choice"].mask[:, 0].tolist() == [True, False, True, False, True, True]
    assert recording.streams["cue"].channels.levels == ("0.5", "1.5")
    assert {n for n in recording.notes if "without a label" in n} == {
        "choice: 2 rows without a label were masked",
        "cue: 2 rows without a label were masked",
    }


def test_pitfall_09_a_label_that_never_changes_is_refused(draft, ingested):
    draft.trials(np.arange(6.0), np.arange(1.0, 7.0), stim=["stimulation"] * 6)
    stim = {"kind": "behavior", "path": "intervals/trials/stim", "observation": "categorical"}
    with pytest.raises(DataError, match=r"a label with 1 levels.*\n  fix: .* or drop the stream"):
        ingested(draft.path, bin_width=1.0, stim=stim)


@pytest.mark.parametrize(
    ("text", "region", "hemisphere"),
    [
        ("", "", ""),
        ("unknown", "", ""),
        ("CA1", "CA1", ""),
        (" NA ", "NA", ""),
        ("brain_region: Thalamus; hemisphere: Left", "Thalamus", "left"),
    ],
)
def test_pitfall_18_free_texts_of_a_place_are_read_and_kept(draft, text, region, hemisphere):
    draft.electrodes(text, "DG").units([0.1], [0.2], electrodes=draft.rows([0, 1]))
    with draft.open() as source:
        channels = source.events("units").channels
    assert (channels.regions[0], channels.hemispheres[0]) == (region, hemisphere)
    assert channels.raw_regions == (text, "DG")


def test_pitfall_22_a_movie_in_another_file_is_no_stream(draft):
    draft.series("acquisition/speed", np.arange(50.0), rate=10.0)
    draft.add(
        "acquisition/movie", "ImageSeries", external_file=["movie.avi"],
        starting_time=(0.0, {"rate": 30.0}), data=(np.zeros((0, 0, 0)), {"unit": "n.a."}),
    )  # fmt: skip
    with draft.open() as source:
        assert [e.path for e in source.list_streams()] == ["acquisition/speed"]


def test_pitfall_22_a_link_into_another_file_is_refused_as_unsafe(draft):
    with draft.edit() as file:
        file["acquisition/raw"] = h5py.ExternalLink("raw.nwb", "/acquisition/raw")
    with pytest.raises(IntegrityError, match=r"acquisition/raw .*\n  fix: export a self-contained"):
        draft.open()


def test_pitfall_24_what_trials_and_cells_are_described_by_is_kept(shared_file):
    """Another reader loses these columns; here they are conditions to select by."""
    with open_source(shared_file(REAL)) as source:
        trials = source.intervals("intervals/trials")
    assert len(trials.starts) == 412
    assert trials.columns["photo_stim_type"].dtype.kind == "U"
    with open_source(shared_file("calcium/neuroconv_ophys_nwb_test.nwb")) as source:
        series = source.series("processing/ophys/Fluorescence/RoiResponseSeries")
    assert {"Accepted", "Rejected"} <= set(series.columns)
    assert len(series.columns["Accepted"]) == len(series.channels) == 15


def test_pitfall_25_a_zarr_export_with_pickled_columns_gives_the_same_spikes(shared_file):
    """Exports that fail are their writer's; one that succeeds holds pickles, never decoded."""
    folder = shared_file("zarr/" + OPTO.format("") + ".zarr")
    assert "pickle" in (folder / "general/extracellular_ephys/electrodes/group/.zarray").read_text()
    with open_source(folder) as source, open_source(shared_file(REAL)) as twin:
        events, expected = source.events("units"), twin.events("units")
    assert spike_trains(events) == spike_trains(expected)
    assert (events.notes, events.channels) == (expected.notes, expected.channels)


def test_pitfall_26_a_repetition_time_of_2000_s_is_refused(shared_file):
    """An NWB file cannot hold it: it is the header of a NIfTI image."""
    with open_source(shared_file("fmri/nibabel_example4d.nii.gz")) as source:
        problems = [p for entry in source.list_streams() for p in entry.problems]
    assert any(p.startswith("error") and "2000" in p for p in problems)
