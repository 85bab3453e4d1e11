"""The encoder sees a window and nothing else; hidden values, batches and chunks change nothing."""

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.modalities.observed import Observed
from neurodsr.models.fusion import TemporalFusion
from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig

N_BINS = 80
# float32: a product of 10-odd terms of order 1, in another order for another batch or chunk.
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def model():
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.02},
            "streams": {
                "units": {"kind": "spikes"},
                "position": {"kind": "behavior", "path": "position"},
                "choice": {"kind": "behavior", "path": "choice", "observation": "categorical"},
            },
            "encoder": {"width": 6, "kernel": 4},
            "dynamics": {"latent_dim": 3},
        }
    )
    channels = {
        "units": Channels(("a", "b", "c")),
        "position": Channels(("x", "y")),
        "choice": Channels(("choice",), levels=("left", "none", "right")),
    }
    built = ObservationModel.build(config, channels, bin_width=0.02, seed=3)
    built.initialize(streams(1))
    return built.requires_grad_(False)


def streams(seed, n_bins=N_BINS):
    rng = np.random.default_rng(seed)
    values = {
        "units": rng.poisson(2.0, (n_bins, 3)),
        "position": 100 + 10 * rng.normal(size=(n_bins, 2)),
        "choice": rng.integers(0, 3, (n_bins, 1)),
    }
    masks = {n: torch.from_numpy(rng.random(x.shape) < 0.8) for n, x in values.items()}
    return {n: Observed(torch.tensor(x).float() * masks[n], masks[n]) for n, x in values.items()}


def changed(seen, at, other):
    """The streams with other values where `at` [time, 1] says so, masks untouched."""
    return {
        n: Observed(torch.where(at & s.mask, other[n].values, s.values), s.mask)
        for n, s in seen.items()
    }


@pytest.mark.parametrize("chunk", [1, 13, N_BINS - 1, N_BINS])
def test_encoding_in_chunks_equals_encoding_at_once(model, chunk):
    seen = streams(2)
    torch.testing.assert_close(model.encode(seen, chunk=chunk), model.encode(seen), **ROUNDING)


def test_each_latent_sees_its_context_and_nothing_beyond(model):
    """A forecast from z_t is honest only if z_t saw no bin after t + context."""
    seen, other, t = streams(2), streams(9), 40
    before = model.encode(seen)[t]
    bins = torch.arange(N_BINS)[:, None]
    within = (bins - t).abs() <= model.context
    assert torch.equal(model.encode(changed(seen, ~within, other))[t], before)
    for edge in (t - model.context, t + model.context):
        assert not torch.equal(model.encode(changed(seen, bins == edge, other))[t], before)


def test_shifting_the_data_shifts_the_latents_away_from_the_edges(model):
    seen, shift, pad = streams(2), 7, model.context
    later = {n: Observed(s.values[shift:], s.mask[shift:]) for n, s in seen.items()}
    torch.testing.assert_close(
        model.encode(later)[pad:-pad], model.encode(seen)[shift + pad : -pad], **ROUNDING
    )


def test_windows_of_a_batch_do_not_see_each_other(model):
    a, b = streams(2), streams(3)
    both = {
        n: Observed(torch.stack([a[n].values, b[n].values]), torch.stack([a[n].mask, b[n].mask]))
        for n in a
    }
    alone = {n: Observed(s.values[None], s.mask[None]) for n, s in b.items()}
    together = model.encode_window(both)
    torch.testing.assert_close(together[1:], model.encode_window(alone), **ROUNDING)
    assert together.shape == (2, N_BINS - 2 * model.context, 3)


@pytest.mark.parametrize("name", ["units", "position", "choice"])
def test_a_stream_left_out_is_a_stream_never_observed(model, name):
    seen = streams(2)
    without = {n: s for n, s in seen.items() if n != name}
    unseen = seen | {name: Observed(seen[name].values, torch.zeros_like(seen[name].mask))}
    assert torch.equal(model.encode(without), model.encode(unseen))


def test_the_order_in_which_streams_are_given_does_not_matter(model):
    seen = streams(2)
    backwards = dict(reversed(seen.items()))
    assert torch.equal(model.encode(backwards), model.encode(seen))


def test_initial_latents_are_centered_and_of_unit_scale(model):
    z = model.encode(streams(1))
    assert z.mean(0).abs().max() < 1e-5  # float32 over 80 bins
    assert z.std(0).mean().item() == pytest.approx(1, rel=1e-5)


def test_initial_weights_are_a_pure_function_of_the_seed(model):
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.02},
            "streams": {"units": {"kind": "spikes"}},
        }
    )
    channels = {"units": Channels(("a",))}

    def build(seed):
        model = ObservationModel.build(config, channels, bin_width=0.02, seed=seed)
        return model.fusion.inner.weight

    before = torch.get_rng_state()
    assert torch.equal(build(1), build(1))
    assert not torch.equal(build(1), build(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_stream_gets_a_distribution_over_all_its_channels(model):
    decoded = model.decode(torch.zeros(5, 7, 3))
    assert {n: tuple(p.batch_shape) for n, p in decoded.items()} == {
        "units": (5, 7, 3),
        "position": (5, 7, 2),
        "choice": (5, 7, 1),
    }


def test_a_hand_made_encoder_passes_the_signal_through(direct_config, direct_model):
    model = direct_model(direct_config(2, kernel=5))
    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    seen = {"signal": Observed(x, torch.ones(30, 2, dtype=bool))}
    torch.testing.assert_close(model.encode(seen), x, **ROUNDING)


def test_every_bin_of_every_stream_is_hidden_in_exactly_one_pass():
    seen = streams(2)
    passes = [hidden_bins(seen, fold, seed=4) for fold in range(N_FOLDS)]
    for name in seen:
        assert (sum(h[name].int() for h in passes) == 1).all()


def test_streams_and_seeds_hide_different_bins():
    seen = streams(2)
    first, again, other = (hidden_bins(seen, 0, seed=s) for s in (4, 4, 5))
    assert all(torch.equal(first[n], again[n]) for n in seen)
    assert not torch.equal(first["units"], first["position"])
    assert not torch.equal(first["units"], other["units"])


def test_a_hidden_value_cannot_reach_the_latent(model):
    seen, other = streams(2), streams(9)
    hidden = hidden_bins(seen, 1, seed=4)
    tampered = {
        n: Observed(torch.where(hidden[n], other[n].values, s.values), s.mask)
        for n, s in seen.items()
    }
    assert torch.equal(encode_without(model, tampered, hidden), encode_without(model, seen, hidden))
    assert not torch.equal(model.encode(tampered), model.encode(seen))


def test_masked_values_change_neither_latent_nor_gradient(model):
    seen, other = streams(2), streams(9)
    tampered = {
        n: Observed(torch.where(s.mask, s.values, other[n].values), s.mask) for n, s in seen.items()
    }
    assert torch.equal(model.encode(tampered), model.encode(seen))


def test_the_path_is_that_of_two_convolutions_over_time_with_their_gradients():
    torch.manual_seed(0)
    fusion = TemporalFusion(5, 2, 4).double()
    evidence = torch.randn(3, 20, 5, dtype=torch.float64, requires_grad=True)
    gelu = torch.nn.functional.gelu
    plain = fusion.outer(gelu(fusion.inner(gelu(evidence + fusion.bias).mT))).mT
    wanted = [evidence, *fusion.parameters()]
    found, expected = (
        torch.autograd.grad(z.pow(3).sum(), wanted) for z in (fusion(evidence), plain)
    )
    torch.testing.assert_close(fusion(evidence), plain, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
