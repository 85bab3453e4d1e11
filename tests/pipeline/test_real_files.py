"""Real recordings of four kinds go from file to report, each with the modality that fits it."""

import json

import pytest

from neurodsr.cli.main import run_command

SMALL = {
    "encoder.n_steps": 60,
    "dynamics.n_steps": 60,
    "ensemble.n_encoders": 1,
    "ensemble.n_members": 1,
    "ensemble.n_starts": 4,
    "ensemble.n_bins": 2000,
}
SETS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
OPTO = "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "options", "kinds"),
    [
        (OPTO, (), {"spikes", "behavior"}),
        ("calcium/neuroconv_ophys_nwb_test.nwb", (), {"calcium"}),
        ("fmri/nitime_fmri_timeseries.csv", ("--interval", "1.89"), {"fmri"}),
        ("behavior/DLC2NWB_openfield_pose.nwb", ("--rate", "30"), {"behavior"}),
    ],
    ids=["spikes and trials", "calcium", "BOLD", "pose"],
)
def test_a_real_recording_is_run_with_its_own_modality(
    shared_file, tmp_path, capsys, file, options, kinds
):
    config, out = str(tmp_path / "run.yaml"), tmp_path / "out"
    assert run_command(["init", str(shared_file(file)), "-o", config, *options]) == 0
    assert run_command(["run", config, "-o", str(out), *SETS]) == 0, capsys.readouterr().err
    evaluation = json.loads((out / "evaluation" / "evaluation.json").read_text())
    assert {fit["kind"] for fit in evaluation["streams"]} == kinds
    assert (out / "report.html").stat().st_size > 50_000
    # So short a training reconstructs nothing, and must not be said to.
    assert not evaluation["verdict"]["reconstructed"]
