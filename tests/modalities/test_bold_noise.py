"""Noise that remembers: its likelihood against the dense normal density, for any missing bins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Normal

from neurodsr.modalities.correlated_noise import CorrelatedNoise, last_observed
from neurodsr.modalities.observed import Observed

BIN = 0.4
TAU = torch.tensor([0.5, 2.0, 4.0], dtype=torch.float64)


def noise_of(tau=TAU):
    noise = CorrelatedNoise(len(tau), bin_width=BIN).double()
    bounds = noise.tau
    with torch.no_grad():
        bounds.coordinate.copy_(
            torch.logit((tau / bounds.low).log() / (bounds.high / bounds.low).log())
        )
    return noise


def drawn(seed, n=14):
    rng = np.random.default_rng(seed)
    p = Normal(*map(torch.from_numpy, (rng.normal(size=(n, 3)), rng.uniform(0.5, 2, (n, 3)))))
    p.scale = p.scale[:1].expand(n, 3)  # one sd a channel
    mask = torch.from_numpy(rng.random((n, 3)) < rng.random())
    return p, Observed(torch.from_numpy(rng.normal(size=(n, 3))) * mask, mask)


def dense(p, seen, tau):
    """Log-density of each channel's observed values as one multivariate normal."""
    total = []
    for c in range(3):
        rows = seen.mask[:, c].nonzero().flatten().numpy()
        if len(rows) == 0:
            total.append(0.0)
            continue
        apart = np.abs(rows[:, None] - rows) * BIN
        covariance = float(p.scale[0, c]) ** 2 * np.exp(-apart / float(tau[c]))
        law = stats.multivariate_normal(p.loc[rows, c].numpy(), covariance)
        total.append(law.logpdf(seen.values[rows, c].numpy()))
    return np.array(total)


@given(st.integers(0, 2**31))
def test_the_likelihood_is_that_of_the_dense_normal_for_any_missing_volumes(seed):
    p, seen = drawn(seed)
    noise = noise_of()
    likelihood = noise.given(p, seen).log_prob(seen.values) * seen.mask
    # Bounds are kept in float32: the time constants are what they make of those asked for.
    wanted = dense(p, seen, noise.tau().detach())
    np.testing.assert_allclose(likelihood.sum(0).detach(), wanted, rtol=1e-9, atol=1e-9)


def test_the_first_volume_of_a_window_has_the_marginal():
    p, seen = drawn(1)
    seen = seen._replace(mask=torch.ones_like(seen.mask))
    found = noise_of().given(p, seen)
    torch.testing.assert_close(found.mean[0], p.mean[0])
    torch.testing.assert_close(found.stddev[0], p.stddev[0])


def test_the_last_volume_counts_less_the_longer_ago_it_was():
    p = Normal(torch.zeros(6, 1, dtype=torch.float64), torch.ones(6, 1, dtype=torch.float64))
    mask = torch.tensor([[True]] + [[False]] * 5)
    values = torch.tensor([[1.0]] + [[0.0]] * 5, dtype=torch.float64)
    found = noise_of(torch.tensor([0.8], dtype=torch.float64)).given(p, Observed(values, mask))
    wanted = np.exp(-BIN * np.arange(1, 6) / 0.8)
    # 0.8 s as bounds in float32 make it.
    np.testing.assert_allclose(found.mean[1:, 0].detach(), wanted, rtol=1e-6)
    np.testing.assert_allclose(found.stddev[1:, 0].detach(), np.sqrt(1 - wanted**2), rtol=1e-6)


def test_a_masked_value_is_never_looked_at():
    p, seen = drawn(2)
    wild = seen._replace(values=torch.where(seen.mask, seen.values, 1e9))
    noise = noise_of()
    torch.testing.assert_close(noise.given(p, seen).mean, noise.given(p, wild).mean)


def test_the_last_observed_bin_is_found_by_a_plain_loop():
    mask = torch.from_numpy(np.random.default_rng(3).random((2, 30, 4)) < 0.3)
    index, known = last_observed(mask)
    for b, t, c in np.ndindex(2, 30, 4):
        rows = mask[b, :t, c].nonzero().flatten().tolist()
        assert (int(index[b, t, c]), bool(known[b, t, c])) == (rows[-1] if rows else 0, bool(rows))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_a_path_is_the_recursion_written_out(n):
    noise, like = noise_of(), torch.zeros(2, n, 3, dtype=torch.float64)
    torch.manual_seed(4)
    found = noise.draw(like).detach().numpy()
    torch.manual_seed(4)
    fresh = torch.randn_like(like).numpy()
    rho = np.exp(-BIN / noise.tau().detach().numpy())
    path = [fresh[:, 0]]
    for t in range(1, n):
        path.append(rho * path[-1] + np.sqrt(1 - rho**2) * fresh[:, t])
    np.testing.assert_allclose(found, np.stack(path, axis=1), atol=1e-12)
