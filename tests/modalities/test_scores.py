import math

import pytest
import torch
from torch.distributions import Categorical, Normal, Poisson

from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.spikes import Spikes

RATES = torch.tensor([0.5, 1.5]).repeat(500)[:, None]


def seen(x):
    return torch.ones(x.shape, dtype=bool)


def bits(predicted, x, mask=None):
    null = Poisson(RATES.mean(0, keepdim=True), validate_args=False)
    scores = Spikes().score(predicted, x, seen(x) if mask is None else mask, null)
    return scores["bits_per_spike"]


def test_the_constant_rate_gains_no_bits():
    x = torch.poisson(RATES, generator=torch.Generator().manual_seed(0))
    assert bits(Poisson(RATES.mean(0, keepdim=True).expand_as(x)), x) == 0


def test_the_true_rate_gains_what_theory_says():
    r"""$E = \langle \lambda \log_2(\lambda / \bar\lambda) \rangle / \bar\lambda$."""
    expected = (0.5 * math.log2(0.5) + 1.5 * math.log2(1.5)) / 2
    # The score is linear in the counts, so expected counts give its expectation exactly.
    assert bits(Poisson(RATES, validate_args=False), RATES) == pytest.approx(expected, rel=1e-5)


def test_bits_are_per_observed_spike():
    """Bins that are not observed change nothing, however many spikes they hold."""
    x, mask = RATES.clone(), seen(RATES)
    mask[::10] = False
    x[::10] = 0
    other = x.clone()
    other[::10] = 30
    p = Poisson(RATES, validate_args=False)
    assert bits(p, x, mask) == bits(p, other, mask)


def test_a_stream_without_spikes_has_a_finite_score():
    x = torch.zeros(1000, 1)
    assert math.isfinite(bits(Poisson(RATES), x))


def signal_scores(x, predicted, mask=None):
    null = Normal(torch.zeros(1, x.shape[1]), torch.ones(1, x.shape[1]))
    p = Normal(predicted, torch.ones_like(predicted))
    return Behavior(path="p").score(p, x, seen(x) if mask is None else mask, null)


def test_explained_variance_is_what_remains_of_the_variance():
    x = torch.tensor([1.0, -1.0]).repeat(50)[:, None] + 7
    assert signal_scores(x, 7 + (x - 7) / 2)["r2"] == pytest.approx(0.75, rel=1e-5)
    assert signal_scores(x, torch.full_like(x, 7.0))["r2"] == pytest.approx(0, abs=1e-6)
    assert signal_scores(x, x)["r2"] == 1


def test_explained_variance_is_that_of_observed_bins():
    x, mask = torch.tensor([[1.0], [3.0], [0.0]]), torch.tensor([[True], [True], [False]])
    predicted = torch.tensor([[1.0], [2.0], [99.0]])
    assert signal_scores(x, predicted, mask)["r2"] == pytest.approx(1 - 1 / 2)


def test_a_signal_that_does_not_move_has_no_explained_variance():
    moving = torch.tensor([1.0, -1.0]).repeat(50)[:, None]
    still = torch.full((100, 1), 3.0)
    assert "r2" not in signal_scores(still, still)
    both = torch.cat([moving, still], dim=1)
    assert signal_scores(both, 0.5 * both)["r2"] == pytest.approx(0.75)


def test_accuracy_counts_observed_labels_alone():
    x = torch.tensor([[0.0], [0.0], [1.0], [2.0], [1.0]])
    mask = torch.tensor([[True], [True], [True], [True], [False]])
    guess = torch.tensor([0, 1, 1, 2, 0])
    p = Categorical(logits=5 * torch.eye(3)[guess][:, None])
    null = Categorical(logits=torch.tensor([[[1.0, 0.0, 0.0]]]))
    choice = Behavior(path="c", observation="categorical")
    scores = choice.score(p, x, mask, null)
    assert scores["accuracy"] == 3 / 4


def test_the_gain_is_the_likelihood_over_that_of_the_constant():
    x = torch.full((10, 1), 2.0)
    scores = signal_scores(x, x)
    assert scores["gain"] == pytest.approx(2.0)  # (2 - 0)^2 / 2 nats
    assert scores["log_likelihood"] == pytest.approx(-0.5 * math.log(2 * math.pi))
