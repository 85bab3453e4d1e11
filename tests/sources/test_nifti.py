"""A run of fMRI: real files, parcels on its volumes' times, confounds and events beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ruamel.yaml import YAML

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.run_config import RunConfig
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.nifti import NiftiSource

ROOT = Path(__file__).resolve().parents[2]
FMRI = ROOT.parent / "shared" / "data" / "fmri"
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
SHAPE = (13, 14, 12)
RUN = np.random.default_rng(2).normal(1000, 50, (*SHAPE, 10)).astype(np.float32)
LABELS = np.zeros(SHAPE, dtype=np.int16)
LABELS[:3, :, :], LABELS[8:, 5:, 4:] = 1, 2
MIDDLE = "a volume's time is its start + 1 s, the middle of its acquisition"
STEM = "sub-07_task-rest"


@pytest.fixture
def real(shared_file):
    """A function that opens a real image."""
    return lambda name: NiftiSource(shared_file(f"fmri/{name}"))


@pytest.fixture
def folder(tmp_path):
    """A functional folder with a run, its parcellation, sidecar, confounds and events."""
    image = nib.Nifti1Image(RUN, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / f"{STEM}_space-MNI_desc-preproc_bold.nii.gz")
    nib.save(nib.Nifti1Image(LABELS, AFFINE), tmp_path / f"{STEM}_space-MNI_atlas-Two_dseg.nii.gz")
    (tmp_path / f"{STEM}_space-MNI_atlas-Two_dseg.tsv").write_text(
        "index\tname\n1\tVis_LH\n2\tMot_RH\n"
    )
    sidecar = {"RepetitionTime": 2.0, "TaskName": "rest", "Units": "arbitrary"}
    (tmp_path / f"{STEM}_bold.json").write_text(json.dumps(sidecar))
    rows = "".join(f"{t / 10}\t{t}\n" for t in range(1, 10))
    (tmp_path / f"{STEM}_desc-confounds_timeseries.tsv").write_text(f"fd\tx\nn/a\t0\n{rows}")
    (tmp_path / f"{STEM}_events.tsv").write_text(
        "onset\tduration\ttrial_type\n0\t4\teyes_open\n4\t6\teyes_closed\n10\t2\teyes_open\n"
    )
    return tmp_path


@pytest.fixture
def run(folder):
    with NiftiSource(folder / f"{STEM}_space-MNI_desc-preproc_bold.nii.gz") as source:
        yield source


PARCELS = f"bold@{STEM}_space-MNI_atlas-Two_dseg.nii.gz"


# Real files


def test_nibabel_s_functional_image_has_a_tr_of_2_s(real):
    source = real("nibabel_functional.nii")
    series = source.series("bold@all")
    data = np.asarray(nib.load(FMRI / "nibabel_functional.nii").dataobj)
    assert series.values.shape == (20, 17 * 21 * 3)
    np.testing.assert_allclose(np.diff(series.times), 2.0)
    assert series.channels.ids[1] == "1,0,0"
    np.testing.assert_array_equal(series.values[:, 1], data[1, 0, 0].astype(np.float32))
    assert series.channels.positions[1].tolist() == [28, -40, 0]
    assert series.channels.spaces[0] == "aligned"


def test_nitime_s_block_has_a_tr_of_1_35_s_and_more_bytes_than_it_declares(real):
    source = real("nitime_fmri1.nii.gz")
    series = source.series("bold@all")
    assert series.values.shape == (40, 1800)
    np.testing.assert_allclose(series.times, 0.675 + 1.35 * np.arange(40), rtol=1e-12)
    assert series.notes[0].startswith("bytes follow the last volume")


def test_nibabel_s_example_of_2000_s_is_refused_until_the_tr_is_declared(real, tmp_path):
    source = real("nibabel_example4d.nii.gz")
    labels = np.zeros((128, 96, 24), dtype=np.uint8)
    labels[60:70, 40:50, 10:12] = 3
    header = nib.load(FMRI / "nibabel_example4d.nii.gz")
    path = tmp_path / "labels.nii.gz"
    nib.save(nib.Nifti1Image(labels, header.affine), path)
    with pytest.raises(DataError, match=r'fix: write {"RepetitionTime": 2} into nibabel_example4d'):
        source.series(f"bold@{path}")
    series = source.series(f"bold@{path}", clock=DeclaredClock(interval=2.0))
    assert series.times.tolist() == [1, 3]
    data = np.asarray(header.dataobj)[60:70, 40:50, 10:12].mean(axis=(0, 1, 2))
    np.testing.assert_array_equal(series.values[:, 0], data.astype(np.float32))
    (entry,) = source.list_streams()
    assert entry.n_samples == 2
    assert "read as ms it would be 2 s" in entry.problems[1]


# What a run offers


def test_everything_beside_a_run_is_listed(run):
    entries = {e.path: e for e in run.list_streams()}
    assert list(entries) == ["bold", PARCELS, "confounds", "events"]
    bold, parcels, confounds, events = entries.values()
    assert bold.problems == (
        "error: voxels are no stream; "
        "fix: average the voxels within parcels: path: bold@LABELS.nii.gz",
    )
    assert (parcels.n_channels, parcels.n_samples, parcels.rate) == (2, 10, 0.5)
    assert (parcels.start, parcels.stop, parcels.unit) == (1.0, 19.0, "arbitrary")
    assert (parcels.modality, parcels.regions) == ("fmri", ("Mot_RH", "Vis_LH"))
    assert (parcels.neurodata_type, parcels.description) == ("BOLD", "rest")
    assert (confounds.kind, confounds.n_channels, confounds.n_samples) == ("series", 2, 10)
    assert (events.kind, events.start, events.stop) == ("intervals", 0.0, 12.0)
    assert events.columns == ("trial_type",)


def test_the_parcels_of_a_run_are_averaged_on_its_times(run):
    series = run.series(PARCELS)
    expected = np.stack([RUN[n == LABELS].astype(float).mean(axis=0) for n in (1, 2)], axis=1)
    np.testing.assert_array_equal(series.values, expected.astype(np.float32))
    assert series.times.tolist() == list(range(1, 20, 2))
    assert series.channels.ids == series.channels.regions == ("Vis_LH", "Mot_RH")
    assert series.channels.hemispheres == ("left", "right")
    assert series.channels.spaces == ("MNI", "MNI")
    assert series.unit == "arbitrary"
    assert "the header's TR of 1 s was not used: the sidecar says 2 s" in series.notes
    assert MIDDLE in series.notes


def test_notes_name_no_path(run, tmp_path):
    assert not [n for n in run.series(PARCELS).notes if str(tmp_path) in n]


def test_a_run_is_averaged_once(run, monkeypatch):
    first = run.series(PARCELS)
    monkeypatch.setattr("neurodsr.sources.nifti.average", None)
    assert run.series(PARCELS).values is first.values


def test_confounds_lie_on_the_volumes_times(run):
    series = run.series("confounds")
    assert series.channels.ids == ("fd", "x")
    assert series.times.tolist() == run.series(PARCELS).times.tolist()
    assert not series.valid[0, 0]
    assert series.values[9].tolist() == [0.9, 9.0]


def test_events_begin_at_the_first_volume(run):
    assert run.intervals("events").stops.tolist() == [4, 10, 12]
    assert run.events("events").channels.ids == ("eyes_closed", "eyes_open")
    for path in ("events/trial_type", "intervals/events/trial_type"):
        assert list(run.intervals(path).columns) == ["trial_type"]


def test_a_label_image_is_looked_for_at_the_root_of_the_dataset_too(folder, tmp_path):
    func = tmp_path / "sub-07" / "func"
    func.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text("{}")
    nib.save(nib.Nifti1Image(LABELS, AFFINE), tmp_path / "atlas.nii.gz")
    path = folder / f"{STEM}_space-MNI_desc-preproc_bold.nii.gz"
    source = NiftiSource(path.rename(func / path.name))
    assert source.series("bold@atlas.nii.gz").channels.ids == ("label-1", "label-2")
    assert source.series("bold@../../atlas.nii.gz").channels.ids == ("label-1", "label-2")
    # The task's sidecar lies in the folder above its run, inside the dataset.
    assert source.series("bold@atlas.nii.gz").times[0] == 1.0


def test_the_session_is_named_by_the_file(run):
    session = run.session()
    assert session.identifier == f"{STEM}_space-MNI_desc-preproc_bold"
    assert session.subject == "07"


# Refusals


def test_voxels_are_refused_as_a_stream(run):
    with pytest.raises(DataError, match=r"2184 voxels.*\n  fix: average the voxels .*bold@LABELS"):
        run.series("bold")
    with pytest.raises(DataError, match=r"at most 2000.*\n  fix: average them within parcels"):
        run.series("bold@all")


def test_a_label_image_that_is_not_there_is_refused_naming_those_that_are(run):
    with pytest.raises(DataError, match=r"found: .*atlas-Two.*\n  fix: give its path relative"):
        run.series("bold@atlas.nii.gz")


def test_a_path_that_is_not_in_the_run_is_refused(run):
    with pytest.raises(DataError, match=r"did you mean 'confounds'.*\n  fix: choose one of: bold"):
        run.series("confound")
    with pytest.raises(DataError, match="no events of this run"):
        run.events("bold")
    with pytest.raises(DataError, match="no intervals of this run"):
        run.intervals("trials")


def test_tables_that_are_not_beside_a_run_are_refused_with_their_name(folder):
    nib.save(nib.Nifti1Image(RUN, AFFINE), folder / "sub-08_task-x_bold.nii")
    (folder / "sub-08_task-x_bold.json").write_text('{"RepetitionTime": 2}')
    source = NiftiSource(folder / "sub-08_task-x_bold.nii")
    with pytest.raises(DataError, match=r"fix: name it.*sub-08_task-x_desc-confounds_timeseries"):
        source.series("confounds")
    with pytest.raises(DataError, match=r"fix: name it as BIDS does, such as sub-08_task-x_events"):
        source.events("events")


def test_one_volume_alone_is_no_run(folder):
    with pytest.raises(DataError, match=r"\(13, 14, 12\).*\n  fix: give the 4-D run; a label"):
        NiftiSource(folder / f"{STEM}_space-MNI_atlas-Two_dseg.nii.gz")


def test_a_truncated_run_is_refused_when_it_is_opened(folder):
    path = folder / f"{STEM}_space-MNI_desc-preproc_bold.nii.gz"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"declares 87712 bytes, it holds \d+\n  fix: copy or"):
        NiftiSource(path)


def test_what_is_wrong_with_one_stream_is_listed_with_the_others(folder, run):
    nib.save(
        nib.Nifti1Image(LABELS[:5], AFFINE), folder / f"{STEM}_space-MNI_atlas-Cut_dseg.nii.gz"
    )
    (folder / f"{STEM}_events.tsv").write_text("onset\n1\n")
    entries = {e.path: e.problems for e in run.list_streams()}
    (cut,) = entries[f"bold@{STEM}_space-MNI_atlas-Cut_dseg.nii.gz"]
    assert cut.startswith("error: the label image has shape (5, 14, 12)")
    assert entries[PARCELS] == ()
    assert "fix: BIDS events need duration" in entries["events"][0]


def test_a_closed_run_is_not_read(run):
    run.close()
    with pytest.raises(DataError, match="fix: read inside `with open_source"):
        run.series(PARCELS)


# Use


def test_parcels_become_a_stream_on_a_grid(run):
    from neurodsr.modalities.behavior import Behavior

    stream = Behavior.from_plain({"kind": "behavior", "path": PARCELS}).load(
        run, TimeGrid(0.0, 2.0, 10)
    )
    np.testing.assert_array_equal(stream.values, run.series(PARCELS).values)
    assert stream.mask.all()


def test_the_documented_configurations_are_valid():
    text = (ROOT / "docs" / "fmri.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    assert blocks
    for block in blocks:
        RunConfig.from_plain(YAML(typ="safe", pure=True).load(block))
