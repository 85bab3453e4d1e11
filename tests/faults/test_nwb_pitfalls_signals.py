"""What real NWB files get wrong in signals and their clocks; numbers are the pitfalls'."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.cli.main import run_command
from neurodsr.errors import DataError
from neurodsr.sources.open import open_source

SPEED = "acquisition/speed"
SIGNAL = {"kind": "behavior", "path": SPEED}
WAVE = np.sin(np.arange(200) / 7)
BLOSC = 32001
"""Number of a compression that HDF5 knows only with a plug-in."""


def rois(draft, values):
    """A series of three ROIs that names rows of a segmentation."""
    table = "processing/ophys/seg/cells"
    draft.add(table, "PlaneSegmentation", id=np.array([11, 12, 13]), Accepted=np.array([1, 0, 1]))
    where = "processing/ophys/Fluorescence/F"
    rows = draft.rows([2, 0, 1], table)
    return draft.series(where, values, kind="RoiResponseSeries", rate=10.0, rois=rows), where


def test_pitfall_10_frame_numbers_are_refused_until_the_frame_rate_is_given(shared_file, ingested):
    path = shared_file("behavior/DLC2NWB_openfield_pose.nwb")
    pose = {"kind": "behavior", "path": "processing/behavior/PoseEstimation"}
    with pytest.raises(DataError, match=r"are frame numbers, not s\n  fix: declare the frame rate"):
        ingested(path, pose=pose)
    recording = ingested(path, pose=pose | {"clock": {"rate": 30}, "max_missing": 1})
    assert recording.grid.stop == pytest.approx(2330 / 30, abs=0.1)
    assert recording.streams["pose"].n_channels == 8
    assert any("timestamps count frames" in note for note in recording.notes)


def test_pitfall_10_frames_that_were_dropped_are_gaps_of_the_clock(draft, ingested):
    frames = np.delete(np.arange(200.0), np.r_[80:110])
    draft.series(SPEED, WAVE[frames.astype(int)], times=frames)
    recording = ingested(draft.path, speed=SIGNAL | {"clock": {"rate": 10}})
    seen = recording.streams["speed"].mask[:, 0]
    assert recording.grid.n_bins == len(seen) == 200
    assert np.flatnonzero(~seen).tolist() == list(range(80, 110))


def test_pitfall_11_gaps_of_a_clock_that_looks_regular_are_masked_and_listed(draft, ingested):
    times = np.concatenate([np.arange(100) * 0.1, 51.2 + np.arange(100) * 0.1])
    draft.series(SPEED, WAVE, times=times)
    with draft.open() as source:
        (entry,) = source.list_streams()
    assert entry.rate == 0
    assert entry.gaps == ((pytest.approx(9.9), 51.2),)
    assert "1 gaps of more than 10 median steps, the longest 41.3 s" in entry.problems[0]
    recording = ingested(draft.path, speed=SIGNAL)
    inside = (recording.grid.centers > 10.1) & (recording.grid.centers < 51.0)
    assert not recording.streams["speed"].mask[inside].any()
    assert len(recording.segments.starts) == 2


def test_pitfall_12_duplicate_backward_and_missing_timestamps_are_repaired_and_counted(
    draft, ingested
):
    times = np.arange(200) * 0.1
    times[50], times[[100, 101]], times[150] = times[49], times[[101, 100]], np.nan
    draft.series(SPEED, WAVE, times=times)
    recording = ingested(draft.path, speed=SIGNAL)
    said = " ".join(recording.notes)
    assert "1 samples without a finite timestamp were dropped" in said
    assert "1 timestamps that ran backward were sorted" in said
    assert "1 samples with a duplicate timestamp were dropped" in said


def test_pitfall_12_a_clock_that_often_runs_backward_is_refused(draft):
    draft.series(SPEED, WAVE, times=np.tile(np.arange(20.0) / 10, 10))
    with (
        draft.open() as source,
        pytest.raises(
            DataError, match=r"run backward.*\n  fix: a clock was reset or two are mixed"
        ),
    ):
        source.series(SPEED)


def test_pitfall_13_transposed_cells_are_refused(draft):
    draft, where = rois(draft, np.zeros((3, 200)))
    fix = r"the axes are \(roi, time\).*\n  fix: write the series again with time as the first"
    with draft.open() as source, pytest.raises(DataError, match=fix):
        source.series(where)


def test_pitfall_13_transposed_electrodes_are_refused(draft):
    draft.electrodes("CA1", "CA3", "DG")
    rows = draft.rows([0, 1, 2])
    draft.series("acquisition/lfp", np.zeros((3, 200)), kind="ElectricalSeries", rate=1e3,
                 electrodes=rows)  # fmt: skip
    with (
        draft.open() as source,
        pytest.raises(
            DataError, match=r"200 channels but 3 electrodes\n  fix: .*is its first axis time\?"
        ),
    ):
        source.series("acquisition/lfp")


def test_pitfall_13_wide_data_that_name_no_channels_are_doubted(draft):
    draft.series(SPEED, np.zeros((3, 200)), rate=10.0)
    with draft.open() as source:
        doubt = "shape (3, 200): more channels than samples; may be transposed"
        assert source.series(SPEED).notes == (doubt,)
        assert source.list_streams()[0].problems == (f"warning: {doubt}",)


@pytest.mark.parametrize("n", [199, 201])
def test_pitfall_14_another_number_of_timestamps_than_of_samples_is_refused(draft, n):
    draft.series(SPEED, WAVE, times=np.arange(n) / 10)
    with (
        draft.open() as source,
        pytest.raises(
            DataError,
            match=rf"{n} timestamps .* for 200 samples\n  fix: one time a sample is needed",
        ),
    ):
        source.series(SPEED)


def test_pitfall_15_row_numbers_in_any_order_name_the_right_channels(draft):
    draft.electrodes("CA1", "CA3", "DG", x=[1.0, 2, 3], y=[4.0, 5, 6], z=[7.0, 8, 9])
    rows = draft.rows([2, 0, 1])
    lfp, cells = "acquisition/lfp", np.arange(600.0).reshape(200, 3)
    draft.series(lfp, cells, kind="ElectricalSeries", rate=1e3, electrodes=rows)
    draft, where = rois(draft, cells)
    with draft.open() as source:
        channels = source.series(lfp).channels
        assert channels.regions == ("DG", "CA1", "CA3")
        assert channels.positions.tolist() == [[3, 6, 9], [1, 4, 7], [2, 5, 8]]
        series = source.series(where)
    assert series.channels.ids == ("13", "11", "12")
    assert series.columns["Accepted"].tolist() == [1, 1, 0]


def test_pitfall_16_a_rate_and_its_timestamps_give_the_same_stream(draft, ingested):
    times = 2.0 + np.arange(200) / 8
    draft.series(SPEED, WAVE, start=2.0, rate=8.0).series("acquisition/twin", WAVE, times=times)
    found = ingested(draft.path, speed=SIGNAL, twin=SIGNAL | {"path": "acquisition/twin"}).streams
    np.testing.assert_array_equal(found["speed"].values, found["twin"].values)
    np.testing.assert_array_equal(found["speed"].mask, found["twin"].mask)


def test_pitfall_17_conversion_and_offset_are_applied_and_the_unit_is_kept_word_for_word(draft):
    draft.series(
        SPEED, np.array([1, 2, 3], dtype="i2"), rate=10.0, conversion=1e-3, offset=5.0, unit="n.a."
    )
    with draft.open() as source:
        series = source.series(SPEED)
    np.testing.assert_allclose(series.values[:, 0], [5.001, 5.002, 5.003], rtol=1e-12)
    assert series.unit == "n.a."


def test_pitfall_17_millimeters_are_not_taken_for_micrometers(shared_file):
    path = shared_file("opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb")
    with open_source(path) as source:
        events = source.events("units")
    assert set(events.channels.position_units) == {"unknown"}
    assert any("look like mm and are not taken for µm" in note for note in events.notes)


def test_pitfall_19_one_series_a_neuron_is_one_stream(draft):
    for i in range(12):
        draft.series(f"processing/ophys/traces/neuron{i}", WAVE + i, rate=10.0)
    with draft.open() as source:
        (entry,) = source.list_streams()
        series = source.series("processing/ophys/traces")
    assert (entry.path, entry.n_channels) == ("processing/ophys/traces", 12)
    assert series.channels.ids == tuple(f"neuron{i}" for i in range(12))
    np.testing.assert_array_equal(series.values, WAVE[:, None] + np.arange(12))


def test_pitfall_19_neurons_on_different_clocks_are_not_put_together(draft):
    for i in range(12):
        draft.series(f"processing/ophys/traces/neuron{i}", WAVE, rate=10.0, start=0.01 * i)
    with draft.open() as source:
        assert len(source.list_streams()) == 12
        with pytest.raises(DataError, match=r"different times\n  fix: name the series one by one"):
            source.series("processing/ophys/traces")


@pytest.mark.parametrize(
    ("where", "kind", "modality"),
    [
        ("acquisition/gaze", "SpatialSeries", "behavior"),
        ("acquisition/lfp", "ElectricalSeries", "lfp"),
        ("processing/stuff/dff", "RoiResponseSeries", "calcium"),
        ("stimulus/presentation/odd/gaze", "SpatialSeries", "behavior"),
    ],
)
def test_pitfall_20_data_in_an_unusual_place_are_found_by_their_type(draft, where, kind, modality):
    draft.series(where, WAVE, kind=kind, rate=10.0)
    with draft.open() as source:
        (entry,) = source.list_streams()
        assert (entry.path, entry.modality) == (where, modality)
        assert source.series(where).values[:, 0].tolist() == WAVE.tolist()


def packed(draft):
    """A series whose one chunk claims a compression that is not installed."""
    draft.series(SPEED, np.zeros(1), rate=10.0)
    with draft.edit() as file:
        group = file[SPEED]
        del group["data"]
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((200,))
        created.set_filter(BLOSC, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((200,))
        data = h5py.h5d.create(group.id, b"data", h5py.h5t.IEEE_F64LE, space, created)
        data.write_direct_chunk((0,), b"not zeros" * 20, filter_mask=0)
        group["data"].attrs["unit"] = "m"
    return draft


def test_pitfall_21_a_missing_compression_is_named_with_what_to_install(draft, ingested, capfd):
    packed(draft)
    with pytest.raises(DataError, match=r"\n  fix: pip install hdf5plugin"):
        ingested(draft.path, speed=SIGNAL)
    assert run_command(["inspect", str(draft.path)]) == 0
    said = capfd.readouterr()
    assert "hdf5plugin" in said.out
    assert "Traceback" not in said.out + said.err


def test_pitfall_23_streams_that_count_from_different_moments_are_refused_until_shifted(
    draft, ingested
):
    draft.series(SPEED, WAVE, rate=10.0)
    draft.series("acquisition/twin", WAVE, rate=10.0, start=1000.0)
    twin = SIGNAL | {"path": "acquisition/twin"}
    with pytest.raises(DataError, match=r"the streams share no time.*\n  fix: .*clock\.offset"):
        ingested(draft.path, speed=SIGNAL, twin=twin)
    twin["clock"] = {"offset": -1000.0}
    found = ingested(draft.path, bin_width=0.2, speed=SIGNAL, twin=twin).streams
    np.testing.assert_allclose(found["twin"].values, found["speed"].values, atol=1e-6)
