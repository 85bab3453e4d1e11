"""Which of the streams that were found become a run, from inspections made by hand."""

from __future__ import annotations

import pytest

from neurodsr.errors import DataError
from neurodsr.ingest.candidates import Candidate, overlapping
from neurodsr.ingest.inspection import (
    ColumnInspection,
    InputInspection,
    Inspection,
    StreamInspection,
)
from neurodsr.ingest.propose import (
    propose_bin_width,
    propose_config,
    propose_window,
    stream_names,
)
from neurodsr.modalities.clock import ClockConfig
from neurodsr.run_config import InputConfig, RunConfig


def stream(path: str, **fields: object) -> StreamInspection:
    """A signal of 100 s at 10 Hz that a plain behavior takes, but for the given fields."""
    plain = {
        "path": path, "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 2,
        "n_samples": 1001, "start": 0.0, "stop": 100.0, "rate": 10.0, "unit": "m",
        "modality": "behavior", "proposed": "behavior", "observation": "gaussian",
    }  # fmt: skip
    return StreamInspection(**(plain | fields))


def units(median_rate: float = 8.0, **fields: object) -> StreamInspection:
    plain = {
        "kind": "events", "modality": "spikes", "proposed": "spikes", "rate": 0.0, "unit": "count",
        "observation": "", "median_rate": median_rate,
    }  # fmt: skip
    return stream("units", **(plain | fields))


def traces(path: str, **fields: object) -> StreamInspection:
    plain = {"modality": "calcium", "installed": False, "n_channels": 15}
    return stream(path, **(plain | fields))


def found(*streams: StreamInspection, file: str = "a.nwb", **fields: object) -> Inspection:
    plain = {
        "file": file, "size": 10, "sha256": "00", "identifier": "a", "session_start": "",
        "subject": "", "species": "",
    }  # fmt: skip
    return Inspection(**(plain | fields), streams=streams)


def paths_of(proposed: dict) -> list[str]:
    return [s["path"] for s in proposed["streams"].values()]


@pytest.mark.parametrize(
    ("rate", "width"), [(8, 0.02), (5, 0.02), (2, 0.05), (1.5, 0.05), (1, 0.1)]
)
def test_the_bin_width_follows_the_median_rate_of_the_units(rate, width):
    assert propose_bin_width([units(rate)]) == width


@pytest.mark.parametrize(
    ("rate", "width"), [(1000.0, 0.02), (20.0, 0.05), (7.0, 1 / 7), (1.0, 1.0), (0.5, 2.0),
                        (1 / 1.35, 1.35), (1 / 0.72, 0.72), (60.0, 2 / 60), (30.0, 1 / 30)]
)  # fmt: skip
def test_without_units_every_bin_holds_the_same_number_of_samples(rate, width):
    assert propose_bin_width([stream("x", rate=rate)]) == pytest.approx(width, rel=1e-12)


def test_an_irregular_signal_counts_with_its_mean_rate():
    assert propose_bin_width([stream("x", rate=0.0, n_samples=701)]) == 0.2


def bold(rate: float, **fields: object) -> StreamInspection:
    return stream("bold", rate=rate, modality="fmri", proposed="fmri", **fields)


def licks(median_rate: float, **fields: object) -> StreamInspection:
    events = {"kind": "events", "rate": 0.0, "observation": "events", "unit": "count"}
    return stream("licks", median_rate=median_rate, **(events | fields))


@pytest.mark.parametrize("interval", [0.1, 0.7, 0.9, 1.35, 1.89, 2.2])
def test_a_width_of_whole_sample_intervals_is_written_without_rounding(interval):
    assert propose_bin_width([bold(1 / interval)]) == max(interval, 0.5)


def test_bins_beside_bold_are_not_too_short_for_its_response_to_be_seen():
    assert propose_bin_width([bold(0.5), units(8.0)]) == 0.5
    assert propose_bin_width([bold(0.5), stream("speed", rate=60.0)]) == 0.5
    assert propose_bin_width([bold(0.5), stream("speed", rate=0.0)]) == 0.5
    assert propose_bin_width([bold(0.5), stream("speed", rate=1.0)]) == 1.0


def test_band_power_alone_gets_bins_of_a_tenth_of_a_second():
    lfp = {"modality": "lfp", "proposed": "lfp", "rate": 1250.0}
    assert propose_bin_width([stream("lfp", **lfp)]) == 0.1
    assert propose_bin_width([stream("lfp", **lfp), units(8.0)]) == 0.02
    assert propose_bin_width([stream("lfp", **lfp | {"proposed": "behavior"})]) == 0.02


def test_licks_decide_the_bins_only_where_nothing_else_is_there():
    assert propose_bin_width([licks(6.0)]) == 0.02
    assert propose_bin_width([licks(6.0), units(1.0)]) == 0.1
    assert propose_bin_width([licks(0.1), stream("speed", rate=30.0)]) == pytest.approx(1 / 30)


def test_spikes_come_first_whatever_the_file_s_order():
    proposed = propose_config(found(stream("acquisition/x"), units()))
    assert paths_of(proposed) == ["units", "acquisition/x"]
    RunConfig.from_plain(proposed)


def test_of_the_traces_of_the_same_cells_one_is_taken_and_never_the_neuropil():
    names = ("Deconvolved", "Fluorescence", "Neuropil")
    proposed = propose_config(found(*(traces(f"processing/ophys/F/{n}") for n in names)))
    assert paths_of(proposed) == ["processing/ophys/F/Fluorescence"]


def test_delta_f_over_f_is_taken_before_raw_fluorescence():
    raw, dff = traces("ophys/Fluorescence/Roi"), traces("ophys/DfOverF/Roi")
    assert paths_of(propose_config(found(raw, dff))) == ["ophys/DfOverF/Roi"]


def test_deconvolved_traces_are_taken_where_there_is_nothing_else():
    assert paths_of(propose_config(found(traces("ophys/Deconvolved")))) == ["ophys/Deconvolved"]


def test_deconvolved_traces_are_taken_before_the_neuropil():
    names = ("ophys/Neuropil", "ophys/Deconvolved")
    assert paths_of(propose_config(found(*map(traces, names)))) == ["ophys/Deconvolved"]


def test_two_planes_are_both_taken():
    planes = [traces(f"plane{i}/{name}") for i in range(2) for name in ("F", "Fneu", "spks")]
    assert paths_of(propose_config(found(*planes))) == ["plane0/F", "plane1/F"]


@pytest.mark.parametrize(
    ("name", "levels", "value"),
    [("Accepted", ("0", "1"), 1), ("iscell", ("False", "True"), True)],
)
def test_only_accepted_cells_are_asked_for(name, levels, value):
    column = ColumnInspection(path=f"ophys/F/{name}", levels=levels, n_levels=2)
    (config,) = propose_config(found(traces("ophys/F", columns=(column,))))["streams"].values()
    assert config["where"] == {name: value}


def test_a_column_that_accepts_every_cell_is_not_worth_a_condition():
    column = ColumnInspection(path="ophys/F/Accepted", levels=("1",), n_levels=1)
    (config,) = propose_config(found(traces("ophys/F", columns=(column,))))["streams"].values()
    assert "where" not in config


def test_a_modality_that_is_not_installed_gives_a_plain_signal():
    (config,) = propose_config(found(traces("ophys/F")))["streams"].values()
    assert config == {"kind": "behavior", "path": "ophys/F"}


def pose(part: str, **fields: object) -> StreamInspection:
    return stream(f"behavior/Pose/{part}", neurodata_type="PoseEstimationSeries", **fields)


def test_the_body_parts_of_a_pose_are_one_stream_with_their_common_clock():
    clock = ClockConfig(rate=30.0)
    parts = [pose(p, rate=30.0, clock=clock) for p in ("ear", "snout", "tail")]
    proposed = propose_config(found(*parts))
    (config,) = proposed["streams"].values()
    assert config == {"kind": "behavior", "path": "behavior/Pose", "clock": {"rate": 30.0}}
    assert proposed["grid"]["bin_width"] == pytest.approx(1 / 30)


def test_body_parts_of_other_times_stay_streams_of_their_own():
    assert len(propose_config(found(pose("ear"), pose("tail", stop=99.0)))["streams"]) == 2
    assert paths_of(propose_config(found(pose("ear")))) == ["behavior/Pose/ear"]


def test_raw_voltage_is_left_out_unless_it_is_all_there_is():
    raw = stream("acquisition/raw", modality="lfp", rate=30_000.0, installed=False)
    lfp = stream("acquisition/lfp", modality="lfp", rate=1250.0, installed=False)
    assert paths_of(propose_config(found(raw, lfp))) == ["acquisition/lfp"]
    assert paths_of(propose_config(found(raw))) == ["acquisition/raw"]


def test_a_stream_that_would_halve_the_shared_time_is_left_out():
    brief = stream("calibration", stop=2.0)
    assert paths_of(propose_config(found(brief, stream("speed")))) == ["speed"]


def test_the_longest_stream_decides_and_the_file_s_order_stays():
    spans = {"a": (0.0, 90.0), "b": (0.0, 100.0), "c": (95.0, 100.0), "d": (5.0, 100.0)}
    chosen = overlapping([Candidate(p, {"kind": "behavior"}, *s) for p, s in spans.items()])
    assert [c.path for c in chosen] == ["a", "b", "d"]


def test_a_declared_clock_is_written_with_the_stream():
    declared = stream("table", needs_clock=True, clock=ClockConfig(interval=0.72))
    (config,) = propose_config(found(declared))["streams"].values()
    assert config["clock"] == {"interval": 0.72}


def test_a_file_without_a_clock_is_refused_until_a_rate_is_given():
    unclocked = stream(
        "table", start=None, stop=None, needs_clock=True, problems=("warning: no clock",)
    )
    with pytest.raises(DataError, match=r"when its samples.*\n  fix: give --rate HZ .*--interval"):
        propose_config(found(unclocked))


def test_a_file_with_nothing_to_take_is_refused_with_what_was_found():
    broken = stream("x", problems=("error: no numbers",))
    with pytest.raises(DataError, match=r"x \(error: no numbers\)\n  fix: `neurodsr inspect`"):
        propose_config(found(broken))


def test_a_short_recording_gets_shorter_windows():
    proposed = propose_config(found(stream("bold", n_samples=20, rate=0.5, stop=38.0)))
    assert proposed["grid"]["bin_width"] == 2.0
    assert proposed["encoder"]["window"] == proposed["dynamics"]["window"] == 6
    RunConfig.from_plain(proposed)


def test_windows_of_bold_leave_room_for_the_response_that_comes_before_them():
    # 0.7 of 472.5 s are 175 volumes, 17 of which the response of 32 s reaches back to.
    chosen = [Candidate("bold", {"kind": "fmri"}, 0.0, 472.5)]
    assert propose_window(chosen, {"bin_width": 1.89}) == (175 - 17) // 2


def test_selected_channels_alone_decide_the_latent_dimension():
    parcels = bold(0.5, n_channels=120, ids=tuple([f"trans_x{i}" for i in range(104)] +
                   [f"V{i}" for i in range(16)]), stop=1000.0)  # fmt: skip
    assert propose_config(found(parcels))["dynamics"]["latent_dim"] == 4


def test_a_recording_of_very_different_streams_is_a_run():
    proposed = propose_config(
        found(units(), licks(2.0), stream("heading", observation="angle", unit="deg"),
              traces("ophys/F", proposed="calcium", installed=True, observation="fluorescence"),
              bold(0.5)),
    )  # fmt: skip
    assert [s["kind"] for s in proposed["streams"].values()] == [
        "spikes", "behavior", "behavior", "calcium", "fmri",
    ]  # fmt: skip
    assert proposed["grid"] == {"bin_width": 0.5}
    RunConfig.from_plain(proposed)


def test_a_long_recording_keeps_the_windows_of_the_defaults():
    assert propose_window([Candidate("x", {}, 0.0, 1000.0)], {"bin_width": 0.02}) is None


def test_several_files_are_the_sessions_of_one_run():
    one = found(units(), stream("x"), file="data/a.nwb")
    two = found(units(1.0, start=0.0, stop=50.0), file="data/b.nwb")
    proposed = propose_config(one, two)
    assert proposed["file"] == ["data/a.nwb", "data/b.nwb"]
    assert paths_of(proposed) == ["units", "x"]
    RunConfig.from_plain(proposed)


def test_a_stream_that_does_not_fit_in_one_session_is_left_out_of_the_run():
    one = found(units(), stream("x"))
    two = found(units(), stream("x", start=900.0, stop=950.0), file="b.nwb")
    assert paths_of(propose_config(one, two)) == ["units"]


def test_one_session_s_still_ends_do_not_cut_the_others():
    one = found(stream("x", moving=(10.0, 90.0)))
    assert propose_config(one)["grid"] == {"bin_width": 0.1, "start": 10.0, "stop": 90.0}
    both = propose_config(one, found(stream("x"), file="b.nwb"))
    assert both["grid"] == {"bin_width": 0.1}


def test_inputs_that_every_file_has_are_proposed():
    light, tone = (
        InputInspection(name=n, reason="", config=InputConfig(path=f"stimulus/{n}", unit="W"))
        for n in ("light", "tone")
    )
    one, two = found(units(), inputs=(light, tone)), found(units(), inputs=(light,))
    proposed = propose_config(one, two)
    assert proposed["inputs"] == {"light": {"path": "stimulus/light", "unit": "W"}}
    RunConfig.from_plain(proposed)


def test_the_one_table_of_a_file_is_named_by_its_kind():
    assert stream_names([Candidate("table", {"kind": "fmri"}, 0.0, 1.0)]) == ["fmri"]


def test_names_are_short_and_unique():
    paths = ["processing/behavior/Position/Left Paw", "acquisition/left_paw", "units"]
    chosen = [Candidate(p, {}, 0.0, 1.0) for p in paths]
    assert stream_names(chosen) == ["left-paw", "left-paw-2", "units"]
