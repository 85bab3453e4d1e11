"""A BIDS folder is the sum of its runs, each named by its path."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.bids import BidsSource, find_runs, is_bids_folder

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
ONE, TWO = "sub-01/func/sub-01_task-rest_bold", "sub-02/ses-a/func/sub-02_ses-a_task-rest_bold"


def save(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).normal(size=(3, 4, 5, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, AFFINE), path)
    return data


@pytest.fixture
def dataset(tmp_path):
    """Two subjects, one with a session folder; a shared sidecar; events of the first."""
    root = tmp_path / "ds"
    save(root / f"{ONE}.nii.gz", 1)
    save(root / f"{TWO}.nii", 2)
    save(root / "derivatives" / "x" / "sub-01" / "func" / "sub-01_task-rest_bold.nii", 3)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Rest and more"}))
    (root / "task-rest_bold.json").write_text('{"RepetitionTime": 1.5}')
    (root / "sub-01/func/sub-01_task-rest_events.tsv").write_text("onset\tduration\n1\t2\n")
    return root


def test_every_run_of_the_dataset_is_listed_with_its_streams(dataset):
    with BidsSource(dataset) as source:
        assert [e.path for e in source.list_streams()] == [
            ONE, f"{ONE}@all", f"{ONE}/events", TWO, f"{TWO}@all"
        ]  # fmt: skip


def test_the_paths_that_are_listed_can_be_read(dataset):
    with BidsSource(dataset) as source:
        series = source.series(f"{TWO}@all")
        np.testing.assert_allclose(series.times, 0.75 + 1.5 * np.arange(6))
        data = np.asarray(nib.load(dataset / f"{TWO}.nii").dataobj)
        np.testing.assert_array_equal(series.values[:, 4], data[1, 1, 0])
        assert source.events(f"{ONE}/events").times.tolist() == [1]
        assert source.intervals(f"{ONE}/events").stops.tolist() == [3]
        declared = source.series(f"{ONE}@all", clock=DeclaredClock(interval=1.5))
        assert declared.times[0] == 0.75


def test_a_label_image_of_the_dataset_serves_every_run(dataset):
    labels = np.ones((3, 4, 5), dtype=np.uint8)
    nib.save(nib.Nifti1Image(labels, AFFINE), dataset / "brain.nii.gz")
    with BidsSource(dataset) as source:
        for run in (ONE, TWO):
            assert source.series(f"{run}@brain.nii.gz").channels.ids == ("label-1",)


@pytest.mark.parametrize(
    ("folder", "first"),
    [
        (".", ONE),
        ("sub-01", "func/sub-01_task-rest_bold"),
        ("sub-01/func", "sub-01_task-rest_bold"),
        ("sub-02", "ses-a/func/sub-02_ses-a_task-rest_bold"),
        ("sub-02/ses-a", "func/sub-02_ses-a_task-rest_bold"),
    ],
)
def test_a_part_of_the_dataset_is_a_bids_folder_too(dataset, folder, first):
    assert is_bids_folder(dataset / folder)
    with BidsSource(dataset / folder) as source:
        assert source.list_streams()[0].path == first
        assert source.series(f"{first}@all").times[0] == 0.75


def test_other_folders_and_files_are_no_bids_folders(dataset, tmp_path):
    (tmp_path / "other").mkdir()
    assert not is_bids_folder(tmp_path / "other")
    assert not is_bids_folder(tmp_path / "absent")
    assert not is_bids_folder(dataset / f"{ONE}.nii.gz")


def test_a_run_that_exists_twice_keeps_its_extension(dataset):
    save(dataset / f"{ONE}.nii", 4)
    assert list(find_runs(dataset))[:2] == [f"{ONE}.nii", f"{ONE}.nii.gz"]


def test_a_broken_run_is_listed_with_its_problem_and_the_others_are_read(dataset):
    (dataset / f"{ONE}.nii.gz").write_bytes(b"no image")
    with BidsSource(dataset) as source:
        broken, *others = source.list_streams()
        assert broken.path == ONE
        assert broken.problems[0].startswith("error: no NIfTI")
        assert len(others) == 2


def test_the_session_is_the_dataset_and_the_subject_if_there_is_one(dataset):
    with BidsSource(dataset) as source:
        assert (source.session().identifier, source.session().subject) == ("Rest and more", "")
    with BidsSource(dataset / "sub-01") as source:
        assert (source.session().identifier, source.session().subject) == ("sub-01", "01")


def test_a_run_that_is_not_there_is_refused_naming_the_nearest(dataset):
    with (
        BidsSource(dataset) as source,
        pytest.raises(DataError, match=rf"did you mean '{ONE}'.*\n  fix: `neurodsr inspect` lists"),
    ):
        source.series(ONE.replace("rest", "rests") + "@all")


def test_a_dataset_without_bold_is_refused(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}")
    assert is_bids_folder(tmp_path)
    with pytest.raises(
        DataError, match=r"without a BOLD run.*\n  fix: give the dataset, or a sub-"
    ):
        BidsSource(tmp_path)


def test_a_closed_folder_is_not_read(dataset):
    source = BidsSource(dataset)
    source.close()
    with pytest.raises(DataError, match="fix: read inside `with open_source"):
        source.series(f"{ONE}@all")
