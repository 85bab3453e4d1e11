"""What the encoder sees of BOLD: as it is or deconvolved, and nothing of the test."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.split import split_recording
from neurodsr.modalities.filters.causal import causal_filter
from neurodsr.modalities.filters.hemodynamic import hrf_kernel
from neurodsr.modalities.fmri import Fmri
from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import ObservationModel
from neurodsr.testing.prepare import configure_run
from neurodsr.training.windows import to_tensors

CHANNELS = Channels(("a", "b"))
RAW, UNDONE = Fmri(path="bold", deconvolution=None), Fmri(path="bold")


def window(n=120, *, every=2, seed=0):
    """A volume in every other bin."""
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 2)))
    mask = (torch.arange(n) % every == 0).unsqueeze(-1).expand(n, 2)
    return Observed(values * mask, mask)


def seen_by(fmri, seen, *, bin_width=0.5):
    return fmri.features(seen, CHANNELS, bin_width=bin_width)


def test_without_deconvolution_the_encoder_sees_the_volumes_as_they_are():
    seen = window()
    values, known = seen_by(RAW, seen)
    assert torch.equal(values, seen.values)
    assert torch.equal(known, seen.mask)
    assert RAW.context(0.5) == 0


def test_a_deconvolved_view_looks_16_s_to_either_side():
    assert (UNDONE.context(0.5), UNDONE.context(2.0), UNDONE.context(60.0)) == (32, 8, 1)


@given(st.integers(0, 2**31), st.integers(40, 80))
def test_a_volume_changes_the_view_within_its_reach_only(seed, t):
    """Volumes at random, so that gaps of any length are filled."""
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(rng.random((120, 2)) < rng.random())
    values = torch.from_numpy(rng.normal(size=(120, 2)))
    seen, other = (Observed(v * mask, mask) for v in (values, values + (bins(120) == t)))
    hidden = seen.without(bins(120) == t)
    for changed in (other, hidden):
        difference = seen_by(UNDONE, seen)[0] - seen_by(UNDONE, changed)[0]
        rows = (difference.abs() > 1e-12).any(1).nonzero().flatten()
        assert all(t - 32 <= int(row) <= t + 32 for row in rows)


def bins(n):
    return torch.arange(n).unsqueeze(-1)


@pytest.mark.parametrize("every", [1, 2, 4, 8])
def test_a_window_shows_what_the_whole_recording_does_but_for_its_ends(every):
    seen = window(300, every=every)
    whole, part = seen_by(UNDONE, seen), seen_by(UNDONE, seen.bins(slice(70, 230)))
    inner = slice(32, 128)
    torch.testing.assert_close(part[0][inner], whole[0][102:198])
    assert torch.equal(part[1][inner], whole[1][102:198])


def test_a_constant_signal_is_constant_activity_with_gaps_and_to_the_ends():
    seen = window()
    mask = seen.mask & ((bins(120) < 30) | (bins(120) > 70))
    flat = Observed(900.0 * mask.double(), mask)
    values, known = seen_by(UNDONE, flat)
    kept = values[known]
    torch.testing.assert_close(kept, kept[0].expand_as(kept))


def test_a_masked_value_is_not_looked_at():
    seen = window()
    wild = seen._replace(values=torch.where(seen.mask, seen.values, 1e6))
    torch.testing.assert_close(seen_by(UNDONE, wild)[0], seen_by(UNDONE, seen)[0])


def test_deconvolution_brings_activity_forward_to_when_it_was():
    """Of BOLD the signal best agrees with activity 5 s ago, of the view with that of now."""
    kernel = hrf_kernel(0.5, onset=torch.zeros(1, dtype=torch.float64))
    rng = np.random.default_rng(0)
    slow = np.stack([np.convolve(x, np.hanning(24), "same") for x in rng.normal(size=(2, 600))], 1)
    signal = causal_filter(torch.from_numpy(slow), kernel)
    seen = Observed(signal, torch.ones_like(signal, dtype=torch.bool))
    views = {"raw": seen_by(RAW, seen)[0], "undone": seen_by(UNDONE, seen)[0]}

    def lead(view):
        x = view[100:-100, 0].numpy()
        return max(range(-20, 21), key=lambda k: np.corrcoef(x, slow[100 - k : 500 - k, 0])[0, 1])

    assert 8 <= lead(views["raw"]) <= 12
    assert abs(lead(views["undone"])) <= 2


def test_numbers_keep_their_format():
    seen = window()
    single = Observed(seen.values.float(), seen.mask)
    assert seen_by(UNDONE, seen)[0].dtype == torch.float64
    assert seen_by(UNDONE, single)[0].dtype == torch.float32


@settings(max_examples=5)  # each builds two models
@given(st.integers(0, 2**31))
@pytest.mark.parametrize("fields", [{}, {"deconvolution": None}, {"noise": "ar1"}])
def test_the_encoded_training_part_knows_nothing_of_what_comes_after_it(
    signal_recording, fields, seed
):
    """Whatever the validation and test stretches hold, the training path stays the same bits."""
    rng = np.random.default_rng(seed)
    recording = signal_recording(rng.normal(size=(300, 4)), bin_width=0.5)
    stream = recording.streams["signal"]
    stream.mask[1::2] = False
    split = split_recording(recording, validation=0.1, test=0.2)
    config = configure_run(
        recording,
        streams={"signal": {"kind": "fmri", **fields}},
        sections={"encoder": {"width": 4, "kernel": 5}},
    )

    def path():
        train = to_tensors(recording, split.train)
        model = ObservationModel.build(config, {"signal": stream.channels}, bin_width=0.5)
        model.initialize(train.pooled())
        return model.encode(train.stretches[0])

    before = path()
    for first, stop in (*split.validation, *split.test):
        stream.values[first:stop] = 1e3 * rng.normal(size=(stop - first, 4))
        stream.mask[first:stop] = rng.random((stop - first, 4)) < 0.5
    assert torch.equal(path(), before)
