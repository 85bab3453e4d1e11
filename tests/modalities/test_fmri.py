"""The fMRI modality: its configuration, what it loads, what it refuses, and real recordings."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.ingest import ingest
from neurodsr.modalities.bold_decoder import BoldDecoder
from neurodsr.modalities.fmri import Fmri
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.registry import load_modality
from neurodsr.modalities.scores import R2
from neurodsr.models.observation import ObservationModel, as_observed
from neurodsr.run_config import RunConfig
from neurodsr.sources.csv_source import open_csv
from neurodsr.sources.nifti import NiftiSource
from neurodsr.testing.fake_source import FakeSource, sampled

STEM = "sub-01_task-rest"


def load(series, grid, **fields):
    return Fmri(path="bold", **fields).load(FakeSource({"bold": series}), grid)


def bold(n=100, tr=2.0, n_channels=2, seed=0):
    values = np.random.default_rng(seed).normal(1000, 20, (n, n_channels))
    return sampled(values, rate=1 / tr, start=tr / 2, unit="a.u.")


def run_config(file, path, **stream):
    return RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": str(file),
            "grid": {"bin_width": stream.pop("bin_width", 1.0)},
            "streams": {"bold": {"kind": "fmri", "path": path, **stream}},
            "encoder": {"width": 4, "kernel": 5},
            "dynamics": {"latent_dim": 3},
        }
    )


# ---- volumes on the grid


def test_the_kind_is_installed():
    assert load_modality("fmri") is Fmri


def test_each_volume_lies_in_the_bin_of_its_time_and_the_other_bins_are_missing():
    series = bold(n=30)
    stream = load(series, TimeGrid(0.0, 0.5, 120))
    rows = np.flatnonzero(np.asarray(stream.mask).all(1))
    np.testing.assert_array_equal(rows, 2 + 4 * np.arange(30))  # 1 s, 3 s, ... in bins of 0.5 s
    np.testing.assert_array_equal(stream.values[rows], series.values.astype(np.float32))
    assert int(np.asarray(stream.mask).sum()) == 60


def test_lines_between_volumes_can_be_asked_for():
    stream = load(bold(n=30), TimeGrid(0.0, 0.5, 120), resample="auto")
    assert np.asarray(stream.mask)[4:112].all()


def test_predictions_are_judged_by_explained_variance():
    assert Fmri(path="bold").natural_score is R2


# ---- what is noted, what is refused


@pytest.mark.parametrize(("tr", "noted"), [(2.0, False), (4.0, False), (4.5, True)])
def test_volumes_more_than_4_s_apart_are_noted(tr, noted):
    notes = load(bold(tr=tr), TimeGrid(0.0, tr, 100)).notes
    assert any(n.startswith(f"volumes are {tr:g} s apart") for n in notes) == noted


def test_a_response_longer_than_the_grid_is_refused():
    with pytest.raises(DataError, match=r"use a longer recording, or a shorter response") as e:
        load(bold(n=15), TimeGrid(0.0, 2.0, 15))
    assert "a hemodynamic response of 32 s on a grid of 30 s" in e.value.what
    short = load(bold(n=15), TimeGrid(0.0, 2.0, 15), response={"length": 20})
    assert short.mask.all()


def test_nothing_on_the_grid_is_refused():
    with pytest.raises(DataError, match=r"check grid\.start and grid\.stop"):
        load(bold(), TimeGrid(1e4, 2.0, 100))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"response": {"length": 5}}, "length must be above 5 s, where the response peaks"),
        ({"response": {"peak_dispersion": 6}}, "peak_dispersion must be below peak_delay"),
        ({"response": {"undershoot_delay": 5}}, "undershoot_delay must be above peak_delay"),
        ({"hrf": "learned", "response": {"peak_delay": 3}}, "starts between 4 and 9, not at 3"),
        ({"hrf": "learned", "response": {"ratio": 30}}, "starts between 2 and 20, not at 30"),
        ({"hrf": "learned", "response": {"length": 8}}, "length must be above 9 s"),
        ({"nuisance_fit": 0}, "nuisance_fit"),
        ({"deconvolution": 0}, "deconvolution"),
        ({"hrf": "spm"}, "canonical"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(fields, text):
    with pytest.raises(ValueError, match=text):
        Fmri.from_plain({"path": "bold", **fields})


# ---- a TR that is given nowhere


def test_a_table_without_a_clock_is_refused_and_the_tr_asked_for(tmp_path):
    (tmp_path / "bold.csv").write_text("v1,v2\n" + "1,2\n3,5\n" * 40)
    with open_csv(tmp_path / "bold.csv") as source, pytest.raises(DataError) as e:
        Fmri(path="table").load(source, TimeGrid(0.0, 2.0, 80))
    assert "declare it: clock: " in e.value.fix
    assert "{interval: SECONDS}" in e.value.fix
    config = run_config(tmp_path / "bold.csv", "table", clock={"interval": 2.0}, bin_width=2.0)
    assert ingest(config, root=tmp_path).streams["bold"].n_bins == 80


def test_an_image_without_a_tr_is_refused_and_the_tr_asked_for(tmp_path):
    data = np.random.default_rng(0).normal(size=(3, 3, 2, 40)).astype(np.float32)
    image = nib.Nifti1Image(data, np.eye(4))
    image.header["pixdim"][4] = 0.0
    nib.save(image, tmp_path / "bold.nii.gz")
    with NiftiSource(tmp_path / "bold.nii.gz") as source, pytest.raises(DataError) as e:
        Fmri(path="bold@all").load(source, TimeGrid(0.0, 2.0, 40))
    assert "clock: {interval: " in e.value.fix
    config = run_config(tmp_path / "bold.nii.gz", "bold@all", clock={"interval": 2.0})
    assert ingest(config, root=tmp_path).streams["bold"].mask[1].all()


# ---- decoders that a configuration asks for


def test_the_configured_response_reaches_the_decoder():
    fmri = Fmri.from_plain({"path": "bold", "response": {"peak_delay": 4.5, "length": 24}})
    decoder = fmri.build_decoder(Channels(("a",)), 1, bin_width=0.1)
    assert isinstance(decoder, BoldDecoder)
    assert decoder.lag == 239
    # The mode lies one dispersion before the mean, in the bin around 3.5 s.
    assert abs(0.1 * (int(decoder.response()[0].argmax()) + 0.5) - 3.5) <= 0.1


def test_one_response_is_learned_for_all_channels_and_a_time_constant_for_each():
    fmri = Fmri(path="bold", hrf="learned", noise="ar1")
    decoder = fmri.build_decoder(Channels(("a", "b", "c")), 2, bin_width=1.0)
    assert {n: p.numel() for n, p in decoder.named_parameters()} == {
        "response.peak_delay.coordinate": 1,
        "response.undershoot_delay.coordinate": 1,
        "response.ratio.coordinate": 1,
        "memory.tau.coordinate": 3,
        "readout.weight": 6,
        "readout.bias": 3,
        "log_noise": 3,
    }


def test_likelihoods_in_float32_are_those_of_float64():
    """Training runs in float32; noise of 5 s in bins of 20 ms is the hardest case."""
    decoder = Fmri(path="bold", noise="ar1").build_decoder(Channels(("a",)), 1, bin_width=0.02)
    with torch.no_grad():
        decoder.memory.tau.coordinate.fill_(10.0)
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(400, 1)))
    x = torch.from_numpy(0.1 * np.cumsum(rng.normal(size=(400, 1)), axis=0))
    seen = Observed(x, torch.ones_like(x, dtype=torch.bool))
    low = decoder.given(z.float(), seen.each(lambda v: v.float() if v.dtype != torch.bool else v))
    found = low.log_prob(x.float()).detach()
    wanted = decoder.double().given(z, seen).log_prob(x).detach()
    torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-3)


# ---- real recordings


def finite_path(recording, config):
    """The latent path of an untrained model; the point is that all of it can be computed."""
    stream = recording.streams["bold"]
    model = ObservationModel.build(
        config, {"bold": stream.channels}, bin_width=recording.grid.bin_width
    )
    seen = {"bold": as_observed(stream)}
    model.initialize(seen)
    z = model.encode(seen)
    likelihood, counts = model.log_likelihood("bold", z, seen["bold"])
    assert bool(counts.any())
    return bool(z.isfinite().all() and likelihood[counts].isfinite().all())


@pytest.mark.parametrize("deconvolution", [None, 1.0])
@pytest.mark.parametrize("bin_width", [1.0, 1.89])
def test_a_table_of_regions_is_loaded_and_encoded(shared_file, bin_width, deconvolution):
    """Resting state of nitime's tutorial: 31 regions, TR 1.89 s."""
    file = shared_file("fmri/nitime_fmri_timeseries.csv")
    config = run_config(
        file,
        "table",
        clock={"interval": 1.89},
        bin_width=bin_width,
        deconvolution=deconvolution,
        noise="ar1",
    )
    recording = ingest(config, root=file.parent)
    stream = recording.streams["bold"]
    assert stream.n_channels == 31
    assert int(np.asarray(stream.mask)[:, 0].sum()) in (249, 250)
    assert finite_path(recording, config)


def test_a_real_image_is_loaded_voxel_by_voxel(shared_file):
    file = shared_file("fmri/nibabel_functional.nii")
    config = run_config(file, "bold@all", response={"length": 24})
    recording = ingest(config, root=file.parent)
    assert recording.streams["bold"].n_channels == 1071
    assert any("acquisition" in note for note in recording.notes)
    assert finite_path(recording, config)


# ---- a BIDS run with its confounds


@pytest.fixture
def bids_run(tmp_path):
    """A run whose one parcel is all head motion, with fMRIPrep's table beside it."""
    n, rng = 120, np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=n))
    image = np.full((4, 4, 3, n), 1000.0, dtype=np.float32)
    image[:2] += (30 * x).astype(np.float32)
    image[2:] += rng.normal(size=n).astype(np.float32)
    labels = np.ones((4, 4, 3), dtype=np.uint8)
    labels[2:] = 2
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text('{"Name": "Rest", "BIDSVersion": "1.9.0"}')
    nib.save(nib.Nifti1Image(image, np.eye(4)), func / f"{STEM}_bold.nii.gz")
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "two.nii.gz")
    (func / f"{STEM}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    change = ["n/a", *(f"{v:.9g}" for v in np.diff(x))]
    rows = "".join(f"{a:.9g}\t{b}\t0\n" for a, b in zip(x, change, strict=True))
    (func / f"{STEM}_desc-confounds_timeseries.tsv").write_text(
        f"trans_x\ttrans_x_derivative1\tmotion_outlier00\n{rows}"
    )
    return tmp_path


def test_confounds_beside_a_run_are_taken_out_of_its_parcels(bids_run):
    file = bids_run / "sub-01" / "func" / f"{STEM}_bold.nii.gz"
    config = run_config(file, "bold@two.nii.gz", nuisance=["confounds"], bin_width=2.0)
    stream = ingest(config, root=bids_run).streams["bold"]
    values = np.asarray(stream.values)
    assert values[:, 0].std() < 0.01  # of 30 times a random walk; float32 of 1000 is left
    assert values[:, 1].std() == pytest.approx(1, abs=0.3)
    notes = " ".join(stream.notes)
    assert "motion_outlier00" in notes
    assert "1 missing values of nuisance regressors count as their mean" in notes


def test_in_a_bids_folder_confounds_are_named_with_their_run(bids_run):
    prefix = f"sub-01/func/{STEM}_bold"
    nuisance = [f"{prefix}/confounds/trans_x"]
    config = run_config(bids_run, f"{prefix}@two.nii.gz", nuisance=nuisance, bin_width=2.0)
    values = np.asarray(ingest(config, root=bids_run).streams["bold"].values)
    assert values[:, 0].std() < 0.01


def test_a_declared_tr_moves_the_confounds_along(bids_run):
    func = bids_run / "sub-01" / "func"
    (func / f"{STEM}_bold.json").unlink()
    config = run_config(
        func / f"{STEM}_bold.nii.gz",
        "bold@two.nii.gz",
        nuisance=["confounds/trans_x"],
        clock={"interval": 2.5, "offset": 100.0},
        bin_width=2.5,
    )
    assert np.asarray(ingest(config, root=bids_run).streams["bold"].values)[:, 0].std() < 0.01


def test_a_repetition_time_in_milliseconds_is_refused(source):
    times = 1890.0 * np.arange(50)
    values = np.random.default_rng(0).normal(size=(50, 2))
    held = Series(values, np.ones((50, 2), dtype=bool), times, Channels(("a", "b")), "")
    with pytest.raises(DataError, match="volumes are 1890 s apart") as caught:
        Fmri(path="bold").load(source(held, "bold"), TimeGrid(0.0, 1000.0, 90))
    assert "in s, not in ms: clock: {interval: 2.0}" in caught.value.fix
