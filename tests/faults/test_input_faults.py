"""Faults of input files, by their number in the matrix of faults (1 to 30)."""

from __future__ import annotations

import ast
import fcntl
import os
import re
from pathlib import Path

import numpy as np
import pytest

from neurodsr.errors import DataError, NeurodsrError
from neurodsr.sources import nwb_series
from neurodsr.sources.open import open_source

TESTS = Path(__file__).parents[1]
SPEED = "acquisition/speed"
SIGNAL = {"kind": "behavior", "path": SPEED}
WAVE = np.sin(np.arange(200) / 7)
SPIKES = {"kind": "spikes"}
TRAIN = (np.arange(90) / 10).tolist()

COVERED = {
    1: ["sources/test_safety.py::an_empty_file_is_refused",
        "sources/test_safety.py::a_file_that_is_not_hdf5_is_refused"],
    2: ["sources/test_safety.py::a_truncated_file_is_refused_with_both_sizes"],
    3: ["faults/test_mutated_files.py::damage_never_ends_in_a_crash_a_hang_or_a_bare_exception"],
    4: ["sources/test_safety.py::hdf5_that_is_not_nwb_is_refused_naming_what_its_root_holds",
        "sources/test_safety.py::nwb_1_is_refused_naming_its_version"],
    5: ["faults/test_nwb_pitfalls.py::"
        "pitfall_03_an_extension_without_its_schema_is_a_warning_and_no_failure",
        "sources/test_nwb_session.py::a_newer_schema_is_a_warning"],
    6: ["sources/test_safety.py::an_external_link_is_refused_and_named",
        "sources/test_safety.py::external_storage_is_refused_and_named",
        "sources/test_safety.py::a_virtual_dataset_is_refused_and_named",
        "sources/test_safety.py::a_soft_link_to_nowhere_in_the_file_is_refused"],
    7: ["sources/test_safety.py::"
        "a_dataset_of_8_tb_in_a_small_file_is_refused_before_it_is_read"],
    8: ["sources/test_safety.py::a_chunk_of_more_than_1_gib_is_refused"],
    16: ["faults/test_nwb_pitfalls.py::"
         "pitfall_04_a_ragged_index_beyond_its_data_is_refused",
         "faults/test_nwb_pitfalls.py::pitfall_05_numbers_of_2_to_the_63_do_not_wrap_around"],
    23: ["ingest/test_clean.py::silent_constant_and_unobserved_channels_are_dropped_and_named",
         "modalities/test_encoders.py::a_channel_that_never_varies_keeps_a_scale_of_one"],
    25: ["sources/test_nifti_volumes.py::"
         "a_compressed_file_cut_before_its_first_volume_is_refused",
         "sources/test_volume_clock.py::"
         "seconds_in_the_header_that_must_be_milliseconds_are_refused_with_both_readings",
         "sources/test_volume_clock.py::a_header_that_says_no_tr_is_refused",
         "sources/test_nifti_header.py::a_header_that_makes_no_sense_is_refused"],
    27: ["faults/test_hostile_names.py::fault_27_a_hostile_name_reaches_no_terminal",
         "faults/test_hostile_names.py::fault_27_a_hostile_name_reaches_no_path"],
    28: ["sources/test_open.py::a_file_changed_while_it_is_read_is_refused",
         "sources/test_nwb_series.py::lazy_samples_refuse_a_changed_or_closed_file"],
}  # fmt: skip
"""Faults whose outcome is tested where it belongs: file::test, without its "test_"."""


def numbers_tested_here() -> set[int]:
    names = [
        n.name for n in ast.parse(Path(__file__).read_text("utf-8")).body if hasattr(n, "name")
    ]
    return {int(n) for name in names for n in re.findall(r"(?:^test_fault|_and)_(\d+)(?=_)", name)}


def test_each_of_the_30_faults_has_its_test():
    assert numbers_tested_here() | set(COVERED) == set(range(1, 31))


@pytest.mark.parametrize("test", [test for tests in COVERED.values() for test in tests])
def test_the_tests_that_cover_a_fault_exist(test):
    file, _, name = test.partition("::")
    assert f"\ndef test_{name}(" in (TESTS / file).read_text("utf-8")


def refusal(draft, kind: str, path: str) -> NeurodsrError:
    with draft.open() as source, pytest.raises(NeurodsrError) as caught:
        getattr(source, kind)(path)
    assert caught.value.exit_code == 3
    return caught.value


@pytest.mark.parametrize(
    "data", [np.array(["a", "b"], dtype="S1"), np.array([1j, 2j]), np.zeros(3, dtype="f4,f4")]
)
def test_fault_09_data_that_are_no_numbers_are_no_stream(draft, data):
    draft.series(SPEED, data, rate=10.0)
    with draft.open() as source:
        assert source.list_streams() == []
    assert "cannot be read as series" in refusal(draft, "series", SPEED).what


def test_fault_09_spike_times_that_are_texts_are_refused_by_path_and_type(draft):
    ids, texts = np.arange(1), ["0.1", "0.2"]
    draft.add("units", "Units", id=ids, spike_times=texts, spike_times_index=np.array([2]))
    error = refusal(draft, "events", "units")
    assert error.where.endswith(":/units/spike_times")
    assert "flat column of numbers" in error.fix


@pytest.mark.parametrize("eager_bytes", [0, nwb_series.EAGER_BYTES], ids=["lazy", "in memory"])
def test_fault_10_missing_values_are_masked_and_counted_up_to_a_limit(
    draft, ingested, monkeypatch, eager_bytes
):
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", eager_bytes)
    few, many = WAVE.copy(), WAVE.copy()
    few[20:40], many[20:80:2], many[81:120:2] = np.nan, np.inf, np.nan
    draft.series(SPEED, few, rate=10.0).series("acquisition/lost", many, rate=10.0)
    recording = ingested(draft.path, speed=SIGNAL)
    assert (~recording.streams["speed"].mask).sum() >= 18
    assert np.isfinite(recording.streams["speed"].values[:]).all()
    note = "speed: 10.000% of the values are NaN or infinite and were masked"
    assert note in recording.notes
    with pytest.raises(
        DataError, match=r"25\.0% of the values are missing.*\n  fix: .*max_missing"
    ):
        ingested(draft.path, lost=SIGNAL | {"path": "acquisition/lost"})


def test_fault_11_a_spike_time_that_is_no_number_is_refused(draft):
    draft.units([0.1, 0.2], [0.3, np.nan])
    error = refusal(draft, "events", "units")
    assert "the first at 3 (unit 1)" in error.what
    assert "remove them from the source file" in error.fix


def test_fault_11_and_12_and_13_odd_spike_times_are_kept_and_counted(draft, ingested):
    """Spikes at one time are kept: whether they are doubles or a coarse clock nobody can tell."""
    draft.units([-1.0, *TRAIN, 4.05, 3.95], [0.5, 0.5, 0.5, *TRAIN[9:]])
    recording = ingested(draft.path, units=SPIKES)
    said = " ".join(recording.notes)
    assert "units: 1 spikes lie before the file's time 0 and were kept" in said
    assert "spike times ran backward and were sorted: unit 0 (2)" in said
    assert "spikes at the same time as another were kept: unit 1 (2)" in said
    assert np.asarray(recording.streams["units"].values).max() == 3


def test_fault_14_a_trial_that_stops_before_it_starts_is_refused(draft):
    draft.trials([0, 3, 6], [2, 2.5, 8])
    error = refusal(draft, "intervals", "intervals/trials")
    assert "row 1: 3 to 2.5 s" in error.what
    assert "correct or remove these rows" in error.fix


def test_fault_15_a_units_table_without_rows_is_refused(draft):
    draft.units([])
    with draft.edit() as file:
        for name in ("id", "spike_times_index"):
            del file["units"][name]
            file["units"][name] = np.zeros(0, dtype=int)
    assert "leave the spikes stream out" in refusal(draft, "events", "units").fix


def test_fault_15_a_silent_unit_is_dropped_and_named_and_a_silent_session_refused(draft, ingested):
    draft.units(np.delete(TRAIN, 5), [], TRAIN[::2])  # a spike in every bin would be constant
    recording = ingested(draft.path, units=SPIKES)
    assert recording.streams["units"].channels.ids == ("0", "2")
    assert "units: 1 channel was dropped, silent: 1" in recording.notes


def test_fault_15_units_of_which_none_has_a_spike_are_refused(draft):
    draft.units([], [])
    assert "none of the 2 neurons has a spike" in refusal(draft, "events", "units").what


def test_fault_17_electrode_ids_that_occur_twice_are_refused(draft):
    draft.electrodes("CA1", "CA3", id=np.array([4, 4]))
    draft.units([0.1], [0.2], electrodes=draft.rows([0, 1]))
    error = refusal(draft, "events", "units")
    assert "electrode ids occur more than once: 4" in error.what
    assert "an id of its own" in error.fix


def test_fault_17_an_electrode_that_is_not_there_is_refused(draft):
    draft.electrodes("CA1", "CA3").units([0.1], [0.2], electrodes=draft.rows([0, 9]))
    assert "row numbers from 0, not ids" in refusal(draft, "events", "units").fix


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_fault_18_electrodes_at_zero_or_nan_are_not_located_and_the_rest_is_read(draft, value):
    xyz = {axis: np.full(2, value) for axis in "xyz"}
    draft.electrodes("CA1", "CA3", **xyz).units([0.1], [0.2], electrodes=draft.rows([0, 1]))
    with draft.open() as source:
        channels = source.events("units").channels
    assert channels.regions == ("CA1", "CA3")
    assert not channels.located.any()
    assert (channels.positions == 0).all()


def test_fault_19_timestamps_and_a_rate_that_agree_are_noted(draft):
    draft.series(SPEED, WAVE, rate=10.0, start=2.0, times=2.0 + np.arange(200) / 10 + 1e-4)
    with draft.open() as source:
        series = source.series(SPEED)
    assert series.times[0] == 2.0001
    assert series.notes == (
        "the series has timestamps and a rate of 10 Hz, which agree; the rate was ignored",
    )


@pytest.mark.parametrize(("rate", "start"), [(20.0, 2.0), (10.0, 0.0), (0.0, 2.0)])
def test_fault_19_timestamps_and_a_rate_that_differ_are_refused(draft, rate, start):
    draft.series(SPEED, WAVE, rate=rate, start=start, times=2.0 + np.arange(200) / 10)
    assert "the wrong one of timestamps and starting_time" in refusal(draft, "series", SPEED).fix


def test_fault_20_little_shared_time_is_noted_with_the_span_of_each(draft, ingested):
    draft.series(SPEED, WAVE, rate=10.0)
    draft.series("acquisition/twin", WAVE, rate=10.0, start=14.0)
    twin = SIGNAL | {"path": "acquisition/twin"}
    (note,) = [n for n in ingested(draft.path, speed=SIGNAL, twin=twin).notes if "share" in n]
    assert note.startswith("the streams share only 6 s (speed -0.05 to 19.95 s, twin 13.95 to")
    assert note.endswith("declare clock.offset")


def test_fault_20_half_of_the_shortest_stream_shared_is_no_reason_to_doubt(draft, ingested):
    draft.series(SPEED, WAVE, rate=10.0)
    draft.series("acquisition/twin", WAVE[:40], rate=10.0, start=14.0)
    twin = SIGNAL | {"path": "acquisition/twin"}
    assert not [n for n in ingested(draft.path, speed=SIGNAL, twin=twin).notes if "share" in n]


@pytest.mark.parametrize("rate", [0.0, -30.0, 1e12, np.nan])
def test_fault_21_an_impossible_rate_is_refused(draft, rate):
    draft.series(SPEED, WAVE, rate=rate)
    assert "a positive number" in refusal(draft, "series", SPEED).fix


@pytest.mark.parametrize("factor", [0.0, np.nan])
def test_fault_22_a_conversion_that_cannot_be_becomes_1_and_is_noted(draft, ingested, factor):
    draft.series(SPEED, WAVE, rate=10.0, conversion=factor, unit="a.u.")
    recording = ingested(draft.path, speed=SIGNAL)
    assert f"speed: the conversion factor is {factor:g}; 1 was used" in recording.notes
    assert recording.streams["speed"].unit == "a.u."


def test_fault_24_a_recording_shorter_than_a_bin_is_refused_with_what_is_needed(draft, ingested):
    draft.series(SPEED, np.ones(1), times=np.array([3.0]))
    with pytest.raises(DataError, match=r"\n  fix: .*at least one bin of 0\.1 s apart"):
        ingested(draft.path, speed=SIGNAL)


def test_fault_26_a_baseline_of_zero_gives_infinities_that_are_masked(draft, ingested):
    with np.errstate(divide="ignore"):
        trace = WAVE / (np.arange(200) % 20 != 5)
    draft.series("processing/ophys/dff", trace, kind="RoiResponseSeries", rate=10.0)
    recording = ingested(draft.path, cells=SIGNAL | {"path": "processing/ophys/dff"})
    assert "cells: 5.000% of the values are NaN or infinite and were masked" in recording.notes


def test_fault_26_a_saturated_converter_is_noted(draft):
    draft.series(SPEED, np.clip(WAVE * 40_000, -32768, 32767).astype("i2"), rate=10.0)
    with draft.open() as source:
        (note,) = source.series(SPEED).notes
    assert note.endswith("values lie at the limits of int16: is the signal saturated?")


def pipe(path):
    os.mkfifo(path)


def link_to_nothing(path):
    path.symlink_to(path.with_name("gone.nwb"))


def folder(path):
    path.mkdir()


def not_there(path):
    pass


@pytest.mark.parametrize("make", [pipe, link_to_nothing, folder, not_there])
def test_fault_29_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "session.nwb")
    with pytest.raises(DataError, match=r"\n  fix: "):
        open_source(tmp_path / "session.nwb")


def test_fault_29_a_file_without_permission_is_refused(draft, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match=r"no permission to read the file\n  fix: chmod u\+r"):
        draft.open()


def test_fault_30_a_file_that_is_being_written_is_refused(draft):
    draft.series(SPEED, WAVE, rate=10.0)
    with open(draft.path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"is locked.*\n  fix: close the program"):
            draft.open()
