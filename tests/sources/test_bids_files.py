"""BIDS names are taken apart, sidecars inherit, and each run finds its own tables."""

from __future__ import annotations

import json

import pytest

from neurodsr.errors import DataError
from neurodsr.sources.bids_files import (
    find_confounds,
    find_events,
    find_label_images,
    find_label_table,
    parse_name,
    read_sidecar,
)

RUN = "sub-01_task-rest_run-2_space-MNI_desc-preproc_bold"


@pytest.fixture
def dataset(tmp_path):
    """The functional folder of an otherwise empty dataset, in a folder with misleading files."""
    root = tmp_path / "outside" / "dataset"
    func = root / "sub-01" / "func"
    func.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "Rest"}')
    (root.parent / "task-rest_bold.json").write_text('{"RepetitionTime": 9, "Outside": true}')
    return root


def put(path, **fields):
    path.write_text(json.dumps(fields))


def run_of(dataset):
    return str(dataset / "sub-01" / "func" / f"{RUN}.nii.gz")


def test_a_name_is_taken_apart():
    name = parse_name(f"{RUN}.nii.gz")
    assert (name.stem, name.extension, name.suffix) == (RUN, ".nii.gz", "bold")
    assert name.entities == {
        "sub": "01", "task": "rest", "run": "2", "space": "MNI", "desc": "preproc"
    }  # fmt: skip


def test_a_name_that_is_not_bids_has_no_entities():
    assert parse_name("my scan.nii").entities == {}
    assert parse_name("my scan.nii").stem == "my scan"


def test_the_nearest_and_most_specific_sidecar_wins_field_by_field(dataset):
    func = dataset / "sub-01" / "func"
    put(dataset / "bold.json", RepetitionTime=1, Units="arbitrary", Far=1)
    put(dataset / "task-rest_bold.json", RepetitionTime=2, TaskName="rest")
    put(dataset / "task-motor_bold.json", RepetitionTime=3, TaskName="motor")
    put(dataset / "sub-01" / "sub-01_bold.json", Far=2)
    put(func / f"{RUN}.json", RepetitionTime=4)
    put(func / "sub-01_task-rest_run-1_bold.json", RepetitionTime=5)
    assert read_sidecar(run_of(dataset)) == {
        "RepetitionTime": 4, "Units": "arbitrary", "TaskName": "rest", "Far": 2
    }  # fmt: skip


def test_nothing_is_inherited_from_outside_the_dataset(dataset):
    assert read_sidecar(run_of(dataset)) == {}


def test_outside_a_dataset_only_the_own_folder_counts(tmp_path):
    (tmp_path / "inner").mkdir()
    put(tmp_path / "task-rest_bold.json", RepetitionTime=3)
    put(tmp_path / "inner" / "sub-01_task-rest_bold.json", RepetitionTime=2)
    path = str(tmp_path / "inner" / "sub-01_task-rest_bold.nii")
    assert read_sidecar(path) == {"RepetitionTime": 2}


def test_a_sidecar_of_any_name_counts_if_it_is_the_image_s_own(tmp_path):
    put(tmp_path / "scan.json", RepetitionTime=2)
    put(tmp_path / "bold.json", RepetitionTime=3)
    assert read_sidecar(str(tmp_path / "scan.nii.gz")) == {"RepetitionTime": 2}


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (b"{", "no JSON.*\n  fix: correct or remove it"),
        (b"\xff\xfe", "no JSON.*\n  fix: correct or remove it"),
        (b"[1]", "holds a list, not an object.*\n  fix: write it as"),
        (b" " * (2**24 + 1), "more than 16 MiB.*\n  fix: keep only"),
    ],
)
def test_a_broken_sidecar_is_refused(tmp_path, content, fix):
    (tmp_path / "scan.json").write_bytes(content)
    with pytest.raises(DataError, match=fix):
        read_sidecar(str(tmp_path / "scan.nii"))


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_task-rest_run-2_desc-confounds_timeseries.tsv",
        "sub-01_task-rest_run-2_desc-confounds_regressors.tsv",
        "sub-01_task-rest_run-2_bold_confounds.tsv",
    ],
)
def test_confounds_are_found_by_any_name_that_fmriprep_gave_them(dataset, name):
    func = dataset / "sub-01" / "func"
    (func / name).touch()
    (func / "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv").touch()
    (func / "sub-01_task-rest_run-2_desc-motion_timeseries.tsv").touch()
    assert find_confounds(run_of(dataset)) == func / name


def test_events_of_the_run_come_before_those_of_the_task(dataset):
    func = dataset / "sub-01" / "func"
    assert find_events(run_of(dataset)) is None
    (dataset / "task-rest_events.tsv").touch()
    assert find_events(run_of(dataset)) == dataset / "task-rest_events.tsv"
    (func / "sub-01_task-rest_run-2_events.tsv").touch()
    (func / "sub-01_task-rest_run-1_events.tsv").touch()
    assert find_events(run_of(dataset)) == func / "sub-01_task-rest_run-2_events.tsv"


def test_only_segmentations_of_the_same_run_and_space_are_found(dataset):
    func = dataset / "sub-01" / "func"
    stem = "sub-01_task-rest_run-2"
    for name in (
        f"{stem}_space-MNI_atlas-Schaefer_dseg.nii.gz",
        f"{stem}_space-MNI_desc-aseg_dseg.nii",
        f"{stem}_space-T1w_desc-aseg_dseg.nii.gz",
        f"{stem}_space-MNI_desc-brain_mask.nii.gz",
        "sub-01_task-rest_run-1_space-MNI_desc-aseg_dseg.nii.gz",
    ):
        (func / name).touch()
    found = [p.name for p in find_label_images(run_of(dataset))]
    assert found == [
        f"{stem}_space-MNI_atlas-Schaefer_dseg.nii.gz", f"{stem}_space-MNI_desc-aseg_dseg.nii"
    ]  # fmt: skip


def test_the_names_of_labels_are_inherited_from_the_root(dataset):
    image = dataset / "sub-01" / "func" / "sub-01_task-rest_desc-aseg_dseg.nii.gz"
    assert find_label_table(str(image)) is None
    (dataset / "desc-aparcaseg_dseg.tsv").touch()
    (dataset / "desc-aseg_dseg.tsv").touch()
    assert find_label_table(str(image)) == dataset / "desc-aseg_dseg.tsv"
