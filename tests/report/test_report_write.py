"""The files of the report, written once and again from the run folder."""

import json
import subprocess
import sys

import pytest

from neurodsr.data.store import save_recording
from neurodsr.errors import DataError, IntegrityError, OutputError
from neurodsr.report.model import Report
from neurodsr.report.write import report_folder, write_report
from neurodsr.storage.documents import write_json
from neurodsr.storage.tensors import write_arrays


@pytest.fixture
def run_folder(sample, tmp_path):
    recording = sample.recording(n_bins=700)
    out = tmp_path / "out"
    for folder in ("surrogate", "evaluation"):
        (out / folder).mkdir(parents=True)
    save_recording(recording, out / "recording")
    provenance = sample.provenance().to_plain()
    write_json(out / "config.json", sample.config(recording))
    write_json(out / "surrogate" / "history.json", sample.history())
    write_json(out / "evaluation" / "evaluation.json", sample.evaluation().to_plain())
    write_json(out / "run.json", {**provenance, "finished": "2026-01-01"})
    arrays = sample.arrays(recording)
    kept = {name: arrays[name] for name in arrays if name.startswith("forecast")}
    write_arrays(out / "evaluation" / "arrays.safetensors", kept)
    return out


def test_the_numbers_lie_beside_the_page_as_json(sample, tmp_path):
    report = sample.report(sample.recording(n_bins=700))
    write_report(report, {}, tmp_path / "a.html")
    assert Report.from_plain(json.loads((tmp_path / "a.json").read_text())) == report
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json"]


def test_a_missing_folder_is_refused_with_the_command_that_makes_it(sample, tmp_path):
    report = sample.report(sample.recording(n_bins=700))
    with pytest.raises(OutputError, match="mkdir -p"):
        write_report(report, {}, tmp_path / "no" / "a.html")


def test_a_run_folder_gives_the_same_report_twice(run_folder, tmp_path):
    first = report_folder(run_folder)
    assert first == run_folder / "report.html"
    second = report_folder(run_folder, tmp_path / "again.html")
    assert first.read_bytes() == second.read_bytes()
    text = first.read_text()
    assert "could not be drawn" not in text
    assert "</span> Reconstructed" in text


def test_a_folder_without_history_or_arrays_still_gives_a_report(run_folder):
    (run_folder / "surrogate" / "history.json").unlink()
    (run_folder / "evaluation" / "arrays.safetensors").unlink()
    assert "No training history was found" in report_folder(run_folder).read_text()


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(run_folder):
    (run_folder / "evaluation" / "evaluation.json").unlink()
    with pytest.raises(DataError, match=r"lacks evaluation/evaluation\.json") as caught:
        report_folder(run_folder)
    assert "--resume" in caught.value.fix


def test_an_evaluation_of_another_shape_is_refused_with_the_field(run_folder):
    write_json(run_folder / "evaluation" / "evaluation.json", {"members": 3})
    with pytest.raises(DataError, match="members") as caught:
        report_folder(run_folder)
    assert "run the evaluation again" in caught.value.fix


def test_damaged_arrays_are_refused(run_folder):
    (run_folder / "evaluation" / "arrays.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(IntegrityError, match="fix: restore"):
        report_folder(run_folder)


def test_the_report_needs_no_torch(run_folder):
    code = (
        "import sys; from neurodsr.report.write import report_folder; "
        f"report_folder({str(run_folder)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
