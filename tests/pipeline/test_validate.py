"""validate(): what a path is, and which faults it finds in it."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.store import save_recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.evaluation.results import Evaluation
from neurodsr.evaluation.store import save_evaluation
from neurodsr.pipeline.validate import recognize, validate
from neurodsr.storage.manifest import write_manifest


@pytest.fixture
def recording():
    stream = Stream(np.ones((20, 2)), np.ones((20, 2), dtype=bool), Channels(("a", "b")), "m")
    return Recording(
        id="r",
        grid=TimeGrid(0.0, 0.1, 20),
        streams={"position": stream},
        segments=Intervals(np.array([0.0]), np.array([2.0]), {}),
    )


@pytest.fixture
def stored(recording, tmp_path):
    path = tmp_path / "r.zarr"
    save_recording(recording, path)
    return path


@pytest.mark.parametrize(
    ("sign", "kind"),
    [
        ("surrogate.json", "surrogate"),
        ("evaluation.json", "evaluation"),
        ("zarr.json", "recording"),
        ("run.json", "run"),
    ],
)
def test_a_folder_is_known_by_the_member_that_tells(tmp_path, sign, kind):
    (tmp_path / sign).write_text("{}")
    assert recognize(tmp_path) == kind


def test_a_sound_recording_has_no_findings(stored):
    result = validate(stored, deep=True)
    assert (result.kind, result.findings, result.exit_code) == ("recording", (), 0)


def test_a_folder_without_a_manifest_was_never_finished(stored):
    (stored / "MANIFEST.json").unlink()
    (finding,) = validate(stored).findings
    assert "never finished" in finding.what
    assert finding.exit_code == 8


def members(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def flip_a_bit(path, rng):
    damaged = bytearray(path.read_bytes())
    damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
    path.write_bytes(damaged)


def cut(path, rng):
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])


def delete(path, rng):
    path.unlink()


@pytest.mark.parametrize("damage", [flip_a_bit, cut, delete])
def test_every_damaged_file_of_a_recording_is_listed(stored, damage):
    """Also where all are damaged at once, by name, and more than a message would hold."""
    rng = np.random.default_rng(0)
    damaged = [p for p in members(stored) if p.name != "MANIFEST.json"]
    assert len(damaged) > 5
    for path in damaged:
        damage(path, rng)
    result = validate(stored, deep=True)
    assert result.kind == "recording"
    assert sorted(finding.where for finding in result.findings) == [str(p) for p in damaged]
    assert all("restore it from a backup" in finding.fix for finding in result.findings)
    assert result.exit_code == 8


@pytest.mark.parametrize("damage", [flip_a_bit, cut, delete])
def test_a_damaged_manifest_is_found(stored, damage):
    damage(stored / "MANIFEST.json", np.random.default_rng(1))
    (finding,) = validate(stored, deep=True).findings
    assert str(stored) in finding.where
    assert finding.exit_code == 8


def test_a_file_that_does_not_belong_is_listed(stored):
    (stored / "streams" / "extra").write_text("x")
    (finding,) = validate(stored, deep=True).findings
    assert finding.where == str(stored / "streams" / "extra")
    assert finding.fix == "remove it"


def test_a_damaged_file_of_a_part_of_a_run_is_listed_once(recording, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    save_recording(recording, tmp_path / "recording")
    write_manifest(tmp_path)
    shard = tmp_path / "recording/streams/0/values/c/0/0"
    delete(shard, None)
    found = [f for f in validate(tmp_path, deep=True).findings if f.exit_code == 8]
    assert [finding.where for finding in found] == [str(shard)]


def test_every_missing_part_of_a_run_is_named(recording, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    save_recording(recording, tmp_path / "recording")
    write_manifest(tmp_path)
    assert validate(tmp_path).findings == ()
    result = validate(tmp_path, deep=True)
    assert [finding.what for finding in result.findings] == [
        "no surrogate here",
        "no evaluation here",
    ]
    assert all(finding.fix == "finish the run with --resume" for finding in result.findings)
    assert result.exit_code == 3


def test_the_gravest_finding_gives_the_exit_code(recording, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    save_recording(recording, tmp_path / "recording")
    write_manifest(tmp_path)
    (tmp_path / "recording" / "extra").write_text("x")
    assert {f.exit_code for f in validate(tmp_path, deep=True).findings} == {3, 8}
    assert validate(tmp_path, deep=True).exit_code == 8


def test_a_file_that_is_no_recording_is_a_finding_and_not_a_crash(tmp_path):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"PK\x03\x04 not a recording")
    (finding,) = validate(path).findings
    assert (finding.severity, finding.exit_code) == ("error", 3)
    assert finding.fix


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()], ids=["absent", "empty"])
def test_what_neurodsr_does_not_know_is_refused_with_what_it_knows(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(DataError, match=r"\n  fix: give an NWB file, or a folder with one of"):
        validate(tmp_path / "x")


def test_an_evaluation_is_read_when_checked_deeply(tmp_path):
    evaluation = Evaluation.from_plain(
        {
            "members": [],
            "measures": [],
            "exponents": [],
            "exponents_sd": [],
            "streams": [],
            "verdict": {"reconstructed": False, "sentence": "No.", "checks": []},
        }
    )
    save_evaluation(evaluation, {"a": np.zeros(3)}, tmp_path / "e")
    assert validate(tmp_path / "e", deep=True).findings == ()
