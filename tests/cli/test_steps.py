"""`train`, `evaluate` and `report` hand the right things on and end with the output's path."""

import sys
from types import SimpleNamespace

import pytest

from neurodsr.data.store import open_recording


@pytest.fixture
def module(monkeypatch):
    """Puts a stand-in where a command looks for a function that takes minutes."""

    def replace(name, **members):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**members))

    return replace


@pytest.fixture
def config(run, session_file, tmp_path):
    assert run("init", session_file, "-o", tmp_path / "run.yaml").code == 0
    return tmp_path / "run.yaml"


@pytest.fixture
def recording(run, config, tmp_path):
    assert run("ingest", config, "-o", tmp_path / "demo.zarr").code == 0
    return tmp_path / "demo.zarr"


class FakeSurrogate:
    def save(self, path, *, force):
        path.mkdir()


def test_train_passes_its_options_on_and_clears_its_work_folder(
    run, module, config, recording, tmp_path
):
    seen = {}

    def train(recording, config, *, work, resume, n_workers, progress):
        seen.update(id=recording.id, seed=config.seed, resume=resume, n_workers=n_workers)
        work.mkdir()
        progress("encoders", 1, 2)
        return FakeSurrogate()

    module("neurodsr.training.train", train=train)
    out = tmp_path / "s"
    done = run("train", config, recording, "-o", out, "--set", "seed=9", "--workers", "3")
    assert (done.code, done.out) == (0, f"{out}\n")
    assert seen == {"id": open_recording(recording).id, "seed": 9, "resume": False, "n_workers": 3}
    assert done.err == "encoders: 1/2 (50%)\n"
    assert out.is_dir()
    assert not (tmp_path / "s.work").exists()


def test_a_failed_training_keeps_its_work_folder_for_resume(
    run, module, config, recording, tmp_path
):
    from neurodsr.errors import InterruptedRunError

    def train(recording, config, *, work, **options):
        work.mkdir()
        raise InterruptedRunError("interrupted at step 40", fix="rerun with --resume")

    module("neurodsr.training.train", train=train)
    done = run("train", config, recording, "-o", tmp_path / "s")
    assert done.code == 130
    assert "fix: rerun with --resume" in done.err
    assert (tmp_path / "s.work").is_dir()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("command", ["ingest", "train", "evaluate"])
def test_an_existing_output_is_refused_before_any_work(run, config, tmp_path, command):
    inputs = {"ingest": [config], "train": [config, "rec"], "evaluate": ["sur", "rec"]}[command]
    (tmp_path / "out").mkdir()
    done = run(command, *inputs, "-o", tmp_path / "out")
    assert done.code == 5
    assert "fix: choose another name, or pass --force to replace it" in done.err


def test_train_on_something_that_is_no_recording_exits_3(run, module, config, tmp_path):
    module("neurodsr.training.train", train=None)
    done = run("train", config, tmp_path, "-o", tmp_path / "s")
    assert done.code == 3
    assert "fix: check the path, or make a recording" in done.err


def test_evaluate_saves_what_it_found(run, module, recording, tmp_path):
    saved = {}

    def save_evaluation(evaluation, arrays, path, *, force):
        saved.update(evaluation=evaluation, arrays=arrays, path=path, force=force)

    module("neurodsr.surrogate", load_surrogate=lambda path: f"loaded {path}")
    module("neurodsr.evaluation.store", save_evaluation=save_evaluation)
    module(
        "neurodsr.evaluation.evaluate",
        evaluate=lambda surrogate, recording, progress: (surrogate, {"id": recording.id}),
    )
    done = run("evaluate", "sur", recording, "-o", tmp_path / "e")
    assert (done.code, done.out) == (0, f"{tmp_path / 'e'}\n")
    assert saved == {
        "evaluation": "loaded sur",
        "arrays": {"id": open_recording(recording).id},
        "path": tmp_path / "e",
        "force": False,
    }


def test_report_of_an_unfinished_run_exits_3_and_says_how_to_finish(run, tmp_path):
    (tmp_path / "run").mkdir()
    done = run("report", tmp_path / "run", "-o", tmp_path / "page.html")
    assert done.code == 3
    assert "--resume" in done.err


def test_report_never_writes_into_the_sealed_run(run, tmp_path):
    done = run("report", tmp_path, "-o", tmp_path / "report.html")
    assert done.code == 5
    assert "fix: give a path outside of the run's folder" in done.err


@pytest.mark.parametrize("name", ["page.html", "page.json"])
def test_report_replaces_neither_page_nor_numbers_unasked(run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    done = run("report", tmp_path / "run", "-o", tmp_path / "page.html")
    assert done.code == 5
    assert f"error: {tmp_path / name}: this output exists" in done.err
