"""Bad input: the documented exit code, what to do about it, no traceback, and nothing left."""

import json

import h5py
import pytest

from neurodsr.cli.main import run_command
from neurodsr.testing.sessions import demo_config, demo_session
from neurodsr.testing.write_nwb import write_session

QUICK = {
    "encoder": {"width": 4, "kernel": 5, "n_steps": 20, "window": 30, "batch_size": 4},
    "dynamics": {"latent_dim": 3, "hidden_dim": 8, "n_steps": 20, "window": 20, "batch_size": 4},
    "ensemble": {"n_encoders": 1, "n_members": 1, "n_starts": 2, "n_bins": 1000},
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("session") / "demo.nwb"
    write_session(path, demo_session(seed=3, n_bins=1000, n_reference=2000))
    return path


def configure(folder, session, **changes):
    """Write the configuration (JSON is YAML) and the file beside it, as the case wants them."""
    (folder / "demo.nwb").write_bytes(session.read_bytes())
    plain = demo_config(file="demo.nwb", seed=3) | QUICK
    plain |= changes.pop("plain", {})
    (folder / "run.yaml").write_text(json.dumps(plain))


def wrong_path(folder, session):
    streams = {"units": {"kind": "spikes", "path": "unitz"}}
    configure(folder, session, plain={"streams": streams, "truth": None})


def no_overlap(folder, session):
    configure(folder, session, plain={"grid": {"bin_width": 0.02, "start": 500.0, "stop": 600.0}})


def not_hdf5(folder, session):
    configure(folder, session)
    (folder / "demo.nwb").write_text("these are notes, not a recording")


def not_nwb(folder, session):
    configure(folder, session)
    with h5py.File(folder / "demo.nwb", "w") as file:
        file["x"] = [1, 2, 3]


def truncated(folder, session):
    configure(folder, session)
    (folder / "demo.nwb").write_bytes(session.read_bytes()[:5000])


def missing(folder, session):
    configure(folder, session)
    (folder / "demo.nwb").unlink()


def no_spikes(folder, session):
    configure(folder, session, plain={"streams": {"units": {"kind": "spikes"}}, "truth": None})
    with h5py.File(folder / "demo.nwb", "r+") as file:
        times, index = file["units/spike_times"], file["units/spike_times_index"]
        attributes = dict(times.attrs)
        del file["units/spike_times"]
        file["units/spike_times"] = times[:0] if times else []
        file["units/spike_times"].attrs.update(attributes)
        index[:] = 0


CASES = [
    (wrong_path, 3, "neurodsr inspect"),
    (no_overlap, 3, "grid.start and grid.stop"),
    (not_hdf5, 3, ""),
    (not_nwb, 3, ""),
    (truncated, 3, ""),
    (missing, 3, ""),
    (no_spikes, 3, ""),
]


@pytest.mark.parametrize(("case", "code", "fix"), CASES, ids=lambda c: getattr(c, "__name__", None))
def test_a_refused_input_says_what_to_do_and_leaves_nothing(
    case, code, fix, session, tmp_path, capfd
):
    case(tmp_path, session)
    before = sorted(p.name for p in tmp_path.iterdir())
    command = ["run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert run_command(command) == code
    said = capfd.readouterr().err
    assert "\nfix: " in said
    assert fix in said
    assert "Traceback" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_the_mended_configuration_runs_at_once(session, tmp_path):
    wrong_path(tmp_path, session)
    command = ["run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert run_command(command) == 3
    configure(tmp_path, session)
    assert run_command(command) == 0


def test_a_recording_given_as_configuration_is_told_about_init(session, capfd):
    assert run_command(["run", str(session), "-o", "out"]) == 2
    assert f"neurodsr init '{session}'" in capfd.readouterr().err


def test_a_folder_that_is_not_ours_is_refused_before_any_work_also_with_force(
    session, tmp_path, capfd
):
    configure(tmp_path, session)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    command = ["run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "mine"), "--force"]
    assert run_command(command) == 5
    assert "remove it yourself" in capfd.readouterr().err
    assert not (tmp_path / "mine.partial").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("dynamics.alpha_start=0", "greater than 0"),
        ("dynamics.alphas=[7.5]", "less than or equal to 1"),
        ("dynamics.learning_rate=[0,1e-4]", "greater than 0"),
        ("ensemble.n_kept=5", "more than n_encoders"),
        ("grid={bin_width: 0.02, start: 30, stop: 20}", "not after start"),
    ],
)
def test_values_that_cannot_work_are_refused_with_the_configuration(
    setting, said, session, tmp_path, capfd
):
    configure(tmp_path, session)
    command = ["run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out"), "--set", setting]
    assert run_command(command) == 2
    assert said in capfd.readouterr().err
    assert not (tmp_path / "out.partial").exists()


def test_a_damaged_run_is_refused_and_made_again_with_force(session, tmp_path):
    configure(tmp_path, session)
    command = ["run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert run_command(command) == 0
    page = tmp_path / "out" / "report.html"
    page.write_bytes(page.read_bytes()[:-1])
    assert run_command(command) == 8
    assert run_command([*command, "--force"]) == 0
    assert run_command(command) == 0
