"""The true parameters of counts are found again: weights, offsets, dispersion, gate, history."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from neurodsr.modalities.count_laws import (
    BernoulliLaw,
    NegativeBinomialLaw,
    PoissonLaw,
    ZeroInflatedLaw,
)
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.history import raised_cosines
from neurodsr.modalities.links import EXPONENTIAL, SOFTPLUS
from neurodsr.modalities.observed import Observed

WEIGHTS = np.array([[0.8, -0.3], [-0.2, 0.5]])
OFFSETS = np.array([-1.0, 0.3])
DISPERSION, GATE = np.array([0.3, 0.8]), np.array([0.2, 0.5])
N_LAGS = 8
# A refractory unit, and one that bursts.
BUMPS = np.array([[-3.0, -0.5, -0.1, 0.05, 0.05], [0.15, -0.1, -0.05, 0.0, 0.02]])
RATES = {EXPONENTIAL: np.exp, SOFTPLUS: lambda drive: np.logaddexp(0, drive)}

DRAW = {
    PoissonLaw: lambda rng, rate: rng.poisson(rate),
    NegativeBinomialLaw: lambda rng, rate: rng.negative_binomial(
        1 / DISPERSION, 1 / (1 + DISPERSION * rate)
    ),
    ZeroInflatedLaw: lambda rng, rate: rng.poisson(rate) * (rng.random(rate.shape) >= GATE),
    BernoulliLaw: lambda rng, rate: rng.random(rate.shape) < 1 - np.exp(-rate),
}
OWN = {
    PoissonLaw: {},
    NegativeBinomialLaw: {"law.log_dispersion": np.log(DISPERSION)},
    ZeroInflatedLaw: {"law.gate_logits": np.log(GATE / (1 - GATE))},
    BernoulliLaw: {},
}


@pytest.mark.parametrize("seed", [0, 10])
@pytest.mark.parametrize("link", [EXPONENTIAL, SOFTPLUS], ids=["exponential", "softplus"])
@pytest.mark.parametrize("law", list(DRAW))
@pytest.mark.parametrize("exposed", [False, True], ids=["whole", "partly watched"])
def test_the_parameters_of_counts_are_recovered(assert_recovered, law, link, exposed, seed):
    rng = np.random.default_rng(seed)
    z, n = rng.normal(size=(4000, 2)), 4000
    exposure = rng.uniform(0.5, 1, (n, 2)) if exposed else np.ones((n, 2))
    mask = rng.random((n, 2)) < 0.9
    x = DRAW[law](rng, RATES[link](z @ WEIGHTS.T + OFFSETS) * exposure)
    seen = Observed(
        torch.from_numpy(x * mask).double(),
        torch.from_numpy(mask),
        torch.from_numpy(exposure * mask) if exposed else None,
    )
    decoder = CountDecoder(2, 2, law=law, link=link).double()
    decoder.initialize(seen)
    truth = {"drive.weight": WEIGHTS, "drive.bias": OFFSETS, **OWN[law]}
    assert_recovered(decoder, truth, torch.from_numpy(z), seen)


def with_history(rng, law, rate, z, kernel):
    """Counts of units that feel their own past, drawn bin after bin; silent before the first."""
    drive = z @ WEIGHTS.T + OFFSETS
    n, lags = len(z), kernel.shape[1]
    x = np.zeros((lags + n, 2))
    for t in range(n):
        past = (kernel.T[::-1] * x[t : t + lags]).sum(0)
        x[lags + t] = DRAW[law](rng, rate(drive[t] + past))
    return x[lags:]


@pytest.mark.parametrize("seed", [0, 10])
@pytest.mark.parametrize(
    ("law", "link"),
    [(PoissonLaw, EXPONENTIAL), (NegativeBinomialLaw, SOFTPLUS), (BernoulliLaw, EXPONENTIAL)],
    ids=["poisson", "negative-binomial", "bernoulli"],
)
def test_a_history_filter_is_recovered_beside_all_else(assert_recovered, law, link, seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(6000, 2))
    kernel = BUMPS @ raised_cosines(N_LAGS).double().numpy().T
    x = with_history(rng, law, RATES[link], z, kernel)
    seen = Observed(torch.from_numpy(x), torch.ones(x.shape, dtype=bool))
    decoder = CountDecoder(2, 2, law=law, link=link, n_lags=N_LAGS).double()
    decoder.initialize(seen)
    # The offset is that of a unit's usual past, where the data were made from one of silence.
    usual = OFFSETS + kernel.sum(1) * decoder.history.mean.numpy()
    truth = {"drive.weight": WEIGHTS, "drive.bias": usual, "history.weight": BUMPS, **OWN[law]}
    assert_recovered(decoder, truth, torch.from_numpy(z), seen)


def test_without_exposure_the_offsets_of_partly_watched_bins_are_biased(assert_recovered):
    """By the log of the three quarters of the time that were watched."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 2))
    x = torch.from_numpy(rng.poisson(0.75 * np.exp(z @ WEIGHTS.T + OFFSETS))).double()
    blind = Observed(x, torch.ones(x.shape, dtype=bool))
    biased = {"drive.weight": WEIGHTS, "drive.bias": OFFSETS + np.log(0.75)}
    for truth, expected in (
        (biased, nullcontext()),
        (biased | {"drive.bias": OFFSETS}, pytest.raises(AssertionError)),
    ):
        decoder = CountDecoder(2, 2).double()
        decoder.initialize(blind)
        with expected:
            assert_recovered(decoder, truth, torch.from_numpy(z), blind)
