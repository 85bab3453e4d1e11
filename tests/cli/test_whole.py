"""`run` and `demo`: what they ask of the pipeline, and what a person reads last."""

import json
import sys
from types import SimpleNamespace

import pytest

from neurodsr.evaluation.results import Evaluation
from neurodsr.load_config import load_config

EVALUATION = {
    "members": [],
    "measures": [
        {
            "name": "state-space divergence (latent)",
            "value": 3.2,
            "low": 2.9,
            "high": 3.6,
            "floor": 0.4,
            "baselines": {"shuffled": 12.5},
            "better": "lower",
        },
        {"name": "undefined one", "value": None, "better": "equal"},
    ],
    "exponents": [0.9, 0.0, -14.5],
    "exponents_sd": [0.1, 0.1, 0.1],
    "streams": [
        {
            "stream": "units",
            "kind": "spikes",
            "task": "hidden bins",
            "scores": {"bits_per_spike": 0.31},
        }
    ],
    "verdict": {
        "reconstructed": False,
        "sentence": "Not reconstructed: the spectrum differs.",
        "checks": [
            {"name": "divergence", "value": 3.2, "rule": "at most 4", "passed": True,
             "meaning": "the attractor differs"},
            {"name": "spectrum \x1b[31m", "value": 0.4, "rule": "at most 0.15", "passed": False,
             "meaning": "it oscillates at other frequencies"},
        ],
    },
}  # fmt: skip


@pytest.fixture
def pipeline(monkeypatch, tmp_path):
    """A stand-in for `pipeline.run.run` that notes how it was called."""
    calls = []

    def run_all(config, **options):
        calls.append(SimpleNamespace(config=config, **options))
        options["progress"]("ingest", 1, 1)
        return SimpleNamespace(
            evaluation=Evaluation.from_plain(EVALUATION),
            report_path=options["out"] / "report.html",
            up_to_date=options["out"].exists(),
        )

    monkeypatch.setitem(sys.modules, "neurodsr.pipeline.run", SimpleNamespace(run=run_all))
    return calls


@pytest.fixture
def config(run, session_file, tmp_path):
    assert run("init", session_file, "-o", tmp_path / "run.yaml").code == 0
    return tmp_path / "run.yaml"


def test_run_hands_configuration_root_and_options_on(run, pipeline, config, tmp_path):
    args = ["--set", "dynamics.hidden_dim=20", "--resume", "--workers", "1"]
    assert run("run", config, "-o", tmp_path / "out", *args).code == 0
    (call,) = pipeline
    assert call.config.dynamics.hidden_dim == 20
    assert call.root == tmp_path
    assert call.out == tmp_path / "out"
    assert (call.resume, call.force, call.n_workers) == (True, False, 1)
    assert call.command == (
        f"neurodsr run {config} -o {tmp_path / 'out'} --set dynamics.hidden_dim=20"
    )


def test_a_run_that_was_there_says_so_and_prints_the_same(run, pipeline, config, tmp_path):
    first = run("run", config, "-o", tmp_path / "out")
    (tmp_path / "out").mkdir()
    again = run("run", config, "-o", tmp_path / "out")
    assert again.out == first.out
    assert "up to date" in again.err


def test_the_verdict_and_then_the_report_are_the_last_things_printed(
    run, pipeline, config, tmp_path
):
    lines = run("run", config, "-o", tmp_path / "out").out.rstrip().splitlines()
    assert lines[-1] == f"report: {tmp_path / 'out' / 'report.html'}"
    assert lines[-2] == "Not reconstructed: the spectrum differs."
    verdict = lines[lines.index("Verdict") :]
    assert any("yes" in x and "divergence" in x and "at most 4" in x for x in verdict)
    assert any("NO" in x and "it oscillates at other frequencies" in x for x in verdict)


def test_measures_stand_beside_floor_and_baselines_and_fits_beside_scores(
    run, pipeline, config, tmp_path
):
    out = run("run", config, "-o", tmp_path / "out").out
    (row,) = [line for line in out.splitlines() if "state-space divergence" in line]
    assert all(text in row for text in ("3.20", "2.90 to 3.60", "0.400", "shuffled 12.5"))
    assert "bits_per_spike 0.310" in out
    assert "\x1b" not in out


def test_progress_goes_to_stderr_only(run, pipeline, config, tmp_path):
    done = run("run", config, "-o", tmp_path / "out")
    assert done.err == "ingest: 1/1 (100%)\n"


def test_dry_run_prints_a_configuration_that_can_be_run_and_writes_nothing(
    run, pipeline, config, tmp_path
):
    done = run("run", config, "-o", tmp_path / "out", "--set", "seed=5", "--dry-run")
    assert done.code == 0
    assert pipeline == []
    assert not (tmp_path / "out").exists()
    assert "would read" in done.err
    resolved = tmp_path / "resolved.json"
    resolved.write_text(done.out)
    assert load_config(resolved) == load_config(config, sets=["seed=5"])
    assert json.loads(done.out)["encoder"]["width"] == 16


def test_dry_run_of_a_missing_recording_exits_3(run, config, tmp_path):
    done = run("run", config, "-o", tmp_path / "o", "--set", "file=gone.nwb", "--dry-run")
    assert done.code == 3
    assert "fix: " in done.err


def test_a_missing_configuration_exits_2_and_names_init(run, tmp_path):
    done = run("run", tmp_path / "gone.yaml", "-o", tmp_path / "out")
    assert done.code == 2
    assert "neurodsr init" in done.err


def test_demo_leaves_what_a_user_would_bring_beside_its_output(
    run, pipeline, tmp_path, monkeypatch, session_file
):
    monkeypatch.setattr(
        "neurodsr.testing.write_nwb.write_session",
        lambda path, session: path.write_bytes(session_file.read_bytes()),
    )
    monkeypatch.setattr("neurodsr.testing.demo.demo_session", lambda seed: f"seed {seed}")
    done = run("demo", "-o", tmp_path / "d", "--seed", "3", "--workers", "1")
    assert done.code == 0
    assert done.out.endswith(f"report: {tmp_path / 'd' / 'report.html'}\n")
    (call,) = pipeline
    assert call.config.seed == 3
    assert call.config == load_config(tmp_path / "d-session" / "run-seed-3.yaml")
    assert call.root == tmp_path / "d-session"
    assert (tmp_path / "d-session" / "demo-seed-3.nwb").is_file()
