"""Sizes of deconvolved events: true odds, sizes and shape found again."""

import numpy as np
import pytest
import torch

from neurodsr.modalities.event_sizes import SHAPE, EventSizeDecoder
from neurodsr.modalities.observed import Observed

N_BINS = 6000
ODDS, ODDS_OFFSET = np.array([[0.9, -0.4], [0.2, 0.8]]), np.array([-1.0, 0.2])
SIZES, SIZE_OFFSET = np.array([[0.5, 0.1], [-0.3, 0.2]]), np.array([0.4, -0.7])
SHAPES = np.array([0.8, 3.0])


def coordinate(value):
    share = np.log(value / SHAPE[0]) / np.log(SHAPE[1] / SHAPE[0])
    return np.log(share / (1 - share))


@pytest.mark.parametrize("seed", [0, 10])
def test_odds_sizes_and_shape_are_recovered(assert_recovered, seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N_BINS, 2))
    event = rng.random((N_BINS, 2)) < 1 / (1 + np.exp(-(z @ ODDS.T + ODDS_OFFSET)))
    mean = np.exp(z @ SIZES.T + SIZE_OFFSET)
    mask = rng.random((N_BINS, 2)) < 0.9
    x = event * rng.gamma(SHAPES, mean / SHAPES) * mask
    truth = {
        "odds.weight": ODDS,
        "odds.bias": ODDS_OFFSET,
        "log_size.weight": SIZES,
        "log_size.bias": SIZE_OFFSET,
        "shape.coordinate": coordinate(SHAPES),
    }
    seen = Observed(torch.from_numpy(x), torch.from_numpy(mask))
    assert_recovered(EventSizeDecoder(2, 2).double(), truth, torch.from_numpy(z), seen)


@pytest.mark.parametrize("shape", [0.3, 1.0, 8.0])
def test_zero_gives_the_likeliest_constant(shape):
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.gamma(shape, 70 / shape, (3000, 1)) * (rng.random((3000, 1)) < 0.2))
    decoder = EventSizeDecoder(1, 2).double()
    mask = torch.ones(x.shape, dtype=bool)
    decoder.initialize(Observed(x, mask))
    z = torch.zeros(len(x), 2, dtype=torch.float64)
    decoder(z).log_prob(x).mean().backward()
    for name in ("odds.bias", "log_size.bias", "shape.coordinate"):
        slope = decoder.get_parameter(name).grad.abs().max()
        # The share is estimated with half an event added: 0.5 of 3,000 bins.
        assert slope < 1e-3, name


def test_a_cell_without_events_keeps_finite_odds_and_size():
    decoder = EventSizeDecoder(2, 2)
    x = torch.zeros(50, 2)
    x[3, 0] = 2.0
    decoder.initialize(Observed(x, torch.ones(50, 2, dtype=bool)))
    p = decoder(torch.zeros(1, 2))
    assert p.mean.isfinite().all()
    assert p.log_prob(x).isfinite().all()
    assert 0 < p.mean[0, 1] < 0.05


def test_a_stray_free_run_stays_finite():
    decoder = EventSizeDecoder(2, 2)
    z = torch.full((1, 2), 1e6, requires_grad=True)
    likelihood = decoder(z).log_prob(torch.tensor([[0.0, 3.0]]))
    assert likelihood.isfinite().all()
    likelihood.sum().backward()
    assert z.grad.isfinite().all()
