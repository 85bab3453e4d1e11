"""The configuration that init writes: it parses back, says why, and nothing escapes from it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from ruamel.yaml import YAML

from neurodsr.ingest.init_text import MAX_LEFT_OUT, SCHEMA, config_text
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.inspection import (
    ColumnInspection,
    InputInspection,
    Inspection,
    StreamInspection,
)
from neurodsr.ingest.propose import propose_config
from neurodsr.modalities.clock import ClockConfig
from neurodsr.run_config import InputConfig, RunConfig


def parse(text: str) -> dict:
    return YAML(typ="safe", pure=True).load(text)


def signal(path: str = "speed", **fields: object) -> StreamInspection:
    plain = {
        "path": path, "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 2,
        "n_samples": 10_001, "start": 0.0, "stop": 1000.0, "rate": 10.0, "unit": "m/s",
        "modality": "behavior", "proposed": "behavior", "observation": "gaussian",
    }  # fmt: skip
    return StreamInspection(**(plain | fields))


def found(*streams: StreamInspection, file: str = "a.nwb", **fields: object) -> Inspection:
    plain = {
        "file": file, "size": 10, "sha256": "abc0", "identifier": "a", "session_start": "",
        "subject": "", "species": "",
    }  # fmt: skip
    return Inspection(**(plain | fields), streams=streams)


def written(*inspections: Inspection) -> str:
    """The text of what is proposed; it parses back to it, and a run takes it."""
    proposed = propose_config(*inspections)
    text = config_text(proposed, *inspections)
    assert parse(text) == proposed
    assert all(c.isprintable() or c == "\n" for c in text)
    RunConfig.from_plain(parse(text))
    return text


def unwrapped(text: str) -> str:
    """The text with the comments that go over several lines put together."""
    return re.sub(r"\n *# ", " ", text)


def write(path, *things: TimeSeries):
    nwbfile = NWBFile(
        session_description="A session.",
        identifier="a\nb: # [\x07]",
        session_start_time=datetime(2025, 1, 15, 12, 0, tzinfo=UTC),
    )
    module = nwbfile.create_processing_module(name="behavior", description="Behavior.")
    for thing in things:
        module.add(thing)
    with NWBHDF5IO(path, mode="w") as io:
        io.write(nwbfile)
    return path


def test_the_demo_session_proposes_the_run_that_it_was_made_for(demo):
    proposed = propose_config(inspect_file(demo), root=demo.parent)
    assert proposed["file"] == "demo.nwb"
    assert proposed["streams"] == {
        "units": {"kind": "spikes", "path": "units"},
        "choice": {
            "kind": "behavior",
            "path": "processing/behavior/BehavioralTimeSeries/choice",
            "observation": "categorical",
        },
        "position": {"kind": "behavior", "path": "processing/behavior/Position/position"},
    }
    assert proposed["grid"] == {"bin_width": 0.02}
    assert proposed["dynamics"]["latent_dim"] == 3
    assert proposed["truth"]["reference"] == "processing/simulation/reference"


def test_the_text_says_why_each_value_was_chosen(demo):
    text = written(inspect_file(demo))
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    assert "0.02  # s; the median neuron fires at" in text
    assert "regions CA1, MOs, VISp" in unwrapped(text)


def test_a_long_comment_stands_whole_above_its_line():
    reason = "the light's exact times are not in the file: " + "it is taken to last long; " * 12
    light = InputInspection(name="laser", reason=reason, config=InputConfig(path="light"))
    text = written(found(signal(), inputs=(light,)))
    assert reason.strip() in unwrapped(text)
    assert max(len(line) for line in text.splitlines() if "sha256" not in line) <= 100
    lines = text.splitlines()
    assert lines[lines.index("  laser:") - 1].startswith("  # ")


def test_the_body_parts_of_a_pose_are_one_stream_and_none_is_left_out():
    parts = [signal(f"behavior/Pose/{n}", neurodata_type="PoseEstimationSeries")
             for n in ("ear", "snout", "tail")]  # fmt: skip
    text = written(found(*parts))
    assert "path: behavior/Pose  # " in text
    assert "# all 3 body parts of the pose" in text
    assert "not used" not in text


def test_odd_text_from_the_file_cannot_leave_its_comment_or_string(tmp_path):
    name = 'we"ird \x07 \u202e name'
    path = write(
        tmp_path / "odd: # file.nwb",
        TimeSeries(name=name, data=np.arange(40.0), rate=10.0, unit="m\nkey: value"),
    )
    written(inspect_file(path))


def test_a_plain_signal_in_place_of_a_missing_modality_says_what_it_lacks():
    text = written(found(signal("F", modality="calcium", installed=False)))
    assert "    kind: behavior  # a plain Gaussian signal; no indicator kinetics\n" in text


def test_the_width_of_bins_says_what_decided_it():
    neurons = signal("units", kind="events", proposed="spikes", median_rate=8.0, observation="")
    volumes = signal("bold", modality="fmri", proposed="fmri", rate=0.5, observation="")
    power = signal("lfp", modality="lfp", proposed="lfp", rate=1250.0, observation="")
    assert "bin_width: 0.5  # s; the median neuron fires at 8 Hz; at least 0.5 s beside BOLD" in (
        written(found(neurons, volumes))
    )
    assert "bin_width: 2.0  # s; at least a sample a bin\n" in written(found(volumes))
    plain = propose_config(found(power))
    assert "bin_width: 0.1  # s; power changes more slowly" in config_text(plain, found(power))


def test_bold_that_is_too_short_says_so():
    text = written(found(signal("bold", modality="fmri", n_samples=20, stop=38.0, rate=0.5)))
    assert "a plain signal: 38 s are too short for the hemodynamic response" in unwrapped(text)


def test_an_indicator_and_what_is_not_known_of_it_are_explained():
    traces = {"modality": "calcium", "proposed": "calcium", "observation": "fluorescence"}
    text = written(found(signal("F", description="indicator jGCaMP8s, plane P", **traces)))
    assert "indicator: jGCaMP8s  # as the file names it" in text
    assert "kind: calcium\n" in text
    unknown = unwrapped(written(found(signal("F", **traces))))
    assert "the file names no indicator: give decay in s" in unknown


def test_a_column_of_lick_times_and_labels_by_their_levels_say_what_they_are():
    columns = (
        ColumnInspection(path="intervals/trials/lick_times", levels=(), n_levels=412,
                         proposed="behavior", observation="events"),
        ColumnInspection(path="intervals/trials/type", levels=("lick left", "none"), n_levels=2,
                         proposed="behavior", observation="categorical"),
    )  # fmt: skip
    text = written(found(signal("intervals/trials", kind="intervals", columns=columns)))
    assert "path: intervals/trials/lick_times  # 412 times in the rows" in text
    assert "observation: events  # points in time" in text
    assert "kind: behavior  # its levels name what an animal does" in text


def test_a_declared_clock_and_a_condition_are_explained():
    text = written(found(signal(needs_clock=True, clock=ClockConfig(rate=30.0))))
    assert "clock:  # as declared: the file does not say it\n      rate: 30.0\n" in text


def test_a_stream_that_waits_for_a_rate_is_named_with_the_option():
    pose = signal("pose", start=None, stop=None, needs_clock=True, problems=("error: frames",))
    assert "used once --rate or --interval is given" in unwrapped(written(found(signal(), pose)))


def test_a_checksum_that_was_not_computed_says_so():
    assert "# sha256 abc0" in written(found(signal()))
    assert "# sha256 not computed: more than 1 GiB" in written(found(signal(), sha256=""))


def test_several_files_are_a_list_and_say_who_holds_what():
    names = [f"data/sub-{i:02d}_ses-20250115T120000.nwb" for i in range(4)]
    sessions = [found(signal(), *([signal("x")] if i else []), file=n)
                for i, n in enumerate(names)]  # fmt: skip
    text = written(*sessions)
    assert f"  - {names[3]}" in text
    assert "; in 3 of 4 files\n" in text
    assert f"# {names[0]}: session a" in text


def test_inputs_are_written_with_their_reason():
    config = InputConfig(path="stimulus/light", unit="W", where={"power": (1.0, 2.0)})
    light = InputInspection(name="laser", reason="light in watts", config=config)
    text = written(found(signal(), inputs=(light,)))
    assert "laser:  # light in watts" in text


def test_shorter_windows_say_that_the_recording_is_short():
    text = written(found(signal(n_samples=60, stop=6.0)))
    assert text.count("# bins; the recording is short") == 2


def test_what_is_left_out_is_listed_and_cut():
    others = [signal(f"other_{i}", modality="", proposed="") for i in range(MAX_LEFT_OUT + 7)]
    text = written(found(signal(), *others))
    assert text.count("# not used: other_") == MAX_LEFT_OUT
    assert "# not used: 7 more; `neurodsr inspect` lists them" in text


def test_the_columns_of_a_table_that_is_used_are_not_called_left_out():
    whole = signal("table", neurodata_type="table")
    column = signal("V1", neurodata_type="column", modality="", proposed="")
    assert "not used" not in written(found(whole, column))
    assert "# not used: V1 (column, 2 channels" in written(found(signal(), column))


@pytest.mark.parametrize("value", ["no", "1e3", "a b", "'", "x: y", "\u202e", "\U0001f41f"])
def test_any_path_survives_the_round_trip(value):
    written(found(signal(value)))
