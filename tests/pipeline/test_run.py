"""run(): one folder, whole or absent, never overwritten, made once."""

import json

import numpy as np
import pytest

from neurodsr.errors import ConfigError, DataError, OutputError
from neurodsr.pipeline.run import run
from neurodsr.run_config import RunConfig
from neurodsr.storage.manifest import check_manifest, folder_digest
from neurodsr.testing.sessions import demo_config, demo_session
from neurodsr.testing.write_nwb import write_session

QUICK = {
    "encoder": {"width": 4, "kernel": 5, "n_steps": 60, "window": 30, "batch_size": 4},
    "dynamics": {"latent_dim": 3, "hidden_dim": 8, "n_steps": 60, "window": 20, "batch_size": 4},
    "ensemble": {"n_encoders": 1, "n_members": 1, "n_starts": 2, "n_bins": 1000},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with a short simulated session, as a lab would have it."""
    folder = tmp_path_factory.mktemp("lab")
    write_session(folder / "demo.nwb", demo_session(seed=3, n_bins=3000, n_reference=20_000))
    return folder


@pytest.fixture(scope="module")
def config():
    return RunConfig.from_plain(demo_config(file="demo.nwb", seed=3) | QUICK)


@pytest.fixture(scope="module")
def finished(lab, config):
    return run(config, root=lab, out=lab / "out", n_workers=1)


def test_a_run_leaves_every_part_and_a_manifest_and_no_work_folder(finished, lab):
    check_manifest(finished.out)
    names = {p.name for p in finished.out.iterdir()}
    assert {"recording", "surrogate", "evaluation", "config.json", "run.json"} < names
    assert {"report.html", "report.json"} < names
    assert not (lab / "out.partial").exists()


def test_an_identical_rerun_changes_nothing_and_says_so(finished, lab, config):
    before = folder_digest(finished.out)
    again = run(config, root=lab, out=lab / "out", n_workers=1)
    assert again.up_to_date
    assert again.evaluation == finished.evaluation
    assert folder_digest(finished.out) == before


def test_the_same_seed_twice_gives_identical_metrics(finished, lab, config):
    twin = run(config, root=lab, out=lab / "twin", n_workers=2)
    assert twin.evaluation == finished.evaluation
    assert folder_digest(twin.out / "surrogate") == folder_digest(finished.out / "surrogate")
    assert folder_digest(twin.out / "recording") == folder_digest(finished.out / "recording")


def test_an_output_of_another_configuration_is_kept_and_refused(finished, lab, config):
    other = RunConfig.from_plain(config.to_plain() | {"seed": 99})
    before = folder_digest(finished.out)
    with pytest.raises(OutputError, match="pass --force to replace it"):
        run(other, root=lab, out=lab / "out", n_workers=1)
    assert folder_digest(finished.out) == before


def test_an_interrupted_run_is_refused_without_resume_and_continued_with_it(
    finished, lab, config, monkeypatch
):
    stop = KeyboardInterrupt()

    def interrupted(*_, **__):
        raise stop

    monkeypatch.setattr("neurodsr.pipeline.run.evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config, root=lab, out=lab / "stopped", n_workers=1)
    assert not (lab / "stopped").exists()
    monkeypatch.undo()
    with pytest.raises(OutputError, match="--resume"):
        run(config, root=lab, out=lab / "stopped", n_workers=1)
    resumed = run(config, root=lab, out=lab / "stopped", n_workers=1, resume=True)
    assert resumed.evaluation == finished.evaluation


def test_resuming_with_another_configuration_is_refused(lab, config, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurodsr.pipeline.run.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config, root=lab, out=lab / "other", n_workers=1)
    other = RunConfig.from_plain(config.to_plain() | {"seed": 99})
    with pytest.raises(ConfigError, match=r"differs in config\.seed"):
        run(other, root=lab, out=lab / "other", n_workers=1, resume=True)


def test_a_missing_file_leaves_nothing_behind(lab, config, tmp_path):
    with pytest.raises(DataError):
        run(config, root=tmp_path, out=tmp_path / "out", n_workers=1)
    assert list(tmp_path.iterdir()) == []


def test_the_report_json_holds_the_numbers_of_the_evaluation(finished):
    report = json.loads((finished.out / "report.json").read_text())
    assert report["evaluation"] == finished.evaluation.to_plain()
    assert np.isclose(report["recording"]["bin_width"], 0.02)
