"""Ordered levels: probabilities between thresholds, also of channels that have fewer levels."""

import numpy as np
import pytest
import torch
from scipy import special

from neurodsr.modalities.distributions.ordered import Ordered

INF = torch.inf
THRESHOLDS = torch.tensor([[-1.0, 0.2, 1.5], [0.5, 2.0, INF], [0.0, INF, INF]], dtype=torch.float64)
LOCATION = torch.tensor([0.3, 1.0, -2.0], dtype=torch.float64)
CODES = torch.arange(4.0, dtype=torch.float64)


def distribution(**options):
    """Three channels of four, three and two levels."""
    return Ordered(LOCATION, THRESHOLDS, **options)


def test_cumulative_probabilities_are_sigmoids_of_the_thresholds():
    p = distribution()
    cumulative = p.probs.cumsum(-1)
    expected = special.expit((THRESHOLDS - LOCATION[:, None]).numpy())
    np.testing.assert_allclose(cumulative[:, :-1], expected, rtol=1e-14)
    np.testing.assert_allclose(cumulative[:, -1], 1, rtol=1e-14)


def test_log_probabilities_are_those_of_the_levels():
    p = distribution(validate_args=False)
    found = p.log_prob(CODES[:, None].expand(4, 3)).T
    assert torch.equal(found, p.log_probs)
    assert torch.equal(p.log_prob(torch.tensor([2, 1, 0])), p.log_probs[[0, 1, 2], [2, 1, 0]])


def test_mean_variance_and_mode_are_those_of_the_codes():
    p = distribution()
    mean = (p.probs * CODES).sum(-1)
    torch.testing.assert_close(p.mean, mean, rtol=1e-14, atol=0)
    torch.testing.assert_close(p.variance, (p.probs * CODES**2).sum(-1) - mean**2)
    assert torch.equal(p.mode, p.probs.argmax(-1).double())


def test_a_level_that_a_channel_lacks_has_no_probability_and_is_refused():
    p = distribution()
    assert p.probs[1].tolist()[3:] == [0]
    assert p.probs[2].tolist()[2:] == [0, 0]
    p.log_prob(torch.tensor([3, 2, 1]))
    with pytest.raises(ValueError, match="to be within the support"):
        p.log_prob(torch.tensor([3, 3, 1]))


def test_lacking_levels_spoil_no_gradient():
    location, thresholds = LOCATION.clone().requires_grad_(), THRESHOLDS.clone().requires_grad_()
    p = Ordered(location, thresholds)
    for quantity in (p.log_prob(torch.tensor([3, 2, 1])), p.mean, p.variance, p.probs):
        for gradient in torch.autograd.grad(quantity.sum(), (location, thresholds)):
            assert gradient.isfinite().all()


@pytest.mark.parametrize(("code", "expected"), [(0, -1000.0), (1, -999.0 + np.log(1 - np.exp(-1)))])
def test_levels_far_from_the_location_keep_their_log_probability(code, expected):
    """Thresholds 0 and 1 seen from 1000: P(x <= k) is e^(k - 1000), which is 0 in any format."""
    p = Ordered(torch.tensor(1000.0), torch.tensor([0.0, 1.0]))
    assert p.log_prob(torch.tensor(code)).item() == pytest.approx(expected, rel=1e-6)


def test_thresholds_that_coincide_by_rounding_leave_a_finite_log_probability():
    thresholds = torch.tensor([1e4, 1e4 + 1e-6]).requires_grad_()
    p = Ordered(torch.tensor(1e4), thresholds, validate_args=False)
    log_prob = p.log_prob(torch.tensor(1))
    assert -100 < log_prob.item() < -80
    assert torch.autograd.grad(log_prob, thresholds)[0].isfinite().all()


@pytest.mark.parametrize(
    "thresholds", [[1.0, 0.0], [0.0, 0.0], [0.0, INF, 1.0], [-INF, 0.0], [0.0, torch.nan]]
)
def test_thresholds_that_do_not_ascend_are_refused(thresholds):
    with pytest.raises(ValueError, match="parameter thresholds"):
        Ordered(torch.tensor(0.0), torch.tensor(thresholds), validate_args=True)


def test_a_channel_of_one_level_is_always_at_it():
    p = Ordered(torch.zeros(2), torch.empty(2, 0))
    assert p.log_prob(torch.zeros(2)).tolist() == [0, 0]
    assert p.sample().tolist() == [0, 0]


def test_samples_follow_the_probabilities(draw, count_p_value):
    x = draw(distribution())
    for channel in range(3):
        p = Ordered(LOCATION[channel], THRESHOLDS[channel], validate_args=False)
        assert count_p_value(p, x[:, channel]) > 1e-3


@pytest.mark.parametrize("seed", [0, 10])
def test_slope_and_thresholds_are_recovered_from_codes(seed, assert_recovered):
    """Of a location that follows a covariate; the last threshold is coded by its distance."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(20_000, generator=generator, dtype=torch.float64)

    def build(v):
        thresholds = torch.stack([v[1], v[1] + v[2].exp()])
        return Ordered(v[0] * z, thresholds)

    truth = [1.3, -0.4, np.log(1.8)]
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        x = build(torch.tensor(truth, dtype=torch.float64)).sample()
    assert_recovered(build, truth, x)
