"""The observation models: likelihoods with known answers, and their parameters recovered."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.func import functional_call

from neurodsr.modalities.categorical import CategoricalDecoder
from neurodsr.modalities.decoders import masked_mean, masked_sd
from neurodsr.modalities.gaussian import GaussianDecoder
from neurodsr.modalities.poisson import PoissonDecoder
from neurodsr.models.loss import negative_log_likelihood

N_DRAWS = 20_000


def poisson(rate):
    """A decoder of constant rates, spikes a bin."""
    decoder = PoissonDecoder(len(rate), 2)
    with torch.no_grad():
        decoder.log_rate.bias.copy_(torch.tensor(rate).log())
    return decoder(torch.zeros(1, 2))


def gaussian(mean, sd):
    decoder = GaussianDecoder(len(mean), 2)
    with torch.no_grad():
        decoder.mean.bias.copy_(torch.tensor(mean))
        decoder.log_noise.copy_(torch.tensor(sd).log())
    return decoder(torch.zeros(1, 2))


def categorical(probabilities):
    decoder = CategoricalDecoder(1, len(probabilities), 2)
    with torch.no_grad():
        decoder.logits.bias.copy_(torch.tensor(probabilities).log() + 3.0)
    return decoder(torch.zeros(1, 2))


def draws(p):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return p.sample((N_DRAWS,)).squeeze(1).detach()


def test_counts_have_the_poisson_likelihood():
    p, k = poisson([0.2, 3.0]), torch.arange(12.0)
    for channel, rate in enumerate([0.2, 3.0]):
        found = p.log_prob(k[:, None].expand(-1, 2))[:, channel].detach()
        np.testing.assert_allclose(found, stats.poisson.logpmf(k, rate), rtol=1e-5)  # float32
    everything = p.log_prob(torch.arange(60.0)[:, None].expand(-1, 2)).exp().sum(0)
    np.testing.assert_allclose(everything.detach(), 1, rtol=1e-5)


def test_signals_have_the_gaussian_likelihood():
    x = torch.linspace(-4, 4, 9)[:, None]
    found = gaussian([1.0], [0.5]).log_prob(x).detach()
    np.testing.assert_allclose(found, stats.norm.logpdf(x, 1.0, 0.5), rtol=1e-5)


def test_labels_have_the_probabilities_of_their_odds():
    found = categorical([0.2, 0.3, 0.5]).log_prob(torch.arange(3.0)[:, None]).exp()
    np.testing.assert_allclose(found[:, 0].detach(), [0.2, 0.3, 0.5], rtol=1e-5)


def test_simulated_counts_follow_their_likelihood():
    p = poisson([2.0])
    counts = np.bincount(draws(p)[:, 0].int(), minlength=8)
    observed = np.append(counts[:7], counts[7:].sum())
    inner = p.log_prob(torch.arange(7.0)[:, None]).exp()[:, 0].detach().numpy()
    expected = np.append(inner, 1 - inner.sum())
    assert stats.chisquare(observed, expected / expected.sum() * N_DRAWS).pvalue > 1e-3


def test_simulated_signals_follow_their_likelihood():
    x = draws(gaussian([1.0], [0.5]))[:, 0]
    assert stats.kstest(x, stats.norm(1.0, 0.5).cdf).pvalue > 1e-3


def test_simulated_labels_follow_their_likelihood():
    observed = np.bincount(draws(categorical([0.2, 0.3, 0.5]))[:, 0], minlength=3)
    expected = np.array([0.2, 0.3, 0.5]) * N_DRAWS
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_point_predictions_are_in_the_streams_own_unit():
    assert PoissonDecoder(1, 2).predict(poisson([3.0])).item() == pytest.approx(3, rel=1e-6)
    assert GaussianDecoder(1, 2).predict(gaussian([7.0], [2.0])).item() == 7
    assert CategoricalDecoder(1, 3, 2).predict(categorical([0.2, 0.5, 0.3])).item() == 1


def test_a_rate_cannot_exceed_twice_the_largest_count():
    decoder = PoissonDecoder(1, 1)
    decoder.initialize(torch.tensor([[0.0], [5.0]]), torch.ones(2, 1, dtype=bool))
    far_out = decoder(torch.tensor([[1e6], [-1e6]]))
    assert far_out.mean.max().item() == pytest.approx(10, rel=1e-6)
    # Nor is any count impossible, which would make a likelihood infinite.
    assert far_out.log_prob(torch.ones(2, 1)).isfinite().all()


# --- the best constant prediction -------------------------------------------------------------


def data(kind, n=400):
    rng = np.random.default_rng(1)
    x = {
        "poisson": rng.poisson([0.3, 4.0], (n, 2)),
        "gaussian": rng.normal([100.0, -3.0], [5.0, 0.1], (n, 2)),
        "categorical": rng.choice(3, (n, 2), p=[0.6, 0.3, 0.1]),
    }[kind]
    mask = torch.from_numpy(rng.random((n, 2)) < 0.7)
    return torch.tensor(x, dtype=torch.float64), mask


def build(kind, latent_dim=2, n_channels=2):
    decoder = {
        "poisson": lambda: PoissonDecoder(n_channels, latent_dim),
        "gaussian": lambda: GaussianDecoder(n_channels, latent_dim),
        "categorical": lambda: CategoricalDecoder(n_channels, 3, latent_dim),
    }[kind]()
    return decoder.double()


# Labels add half a count to each level, which moves the optimum by that over the counts.
SLACK = {"poisson": 1e-12, "gaussian": 1e-12, "categorical": 1.5 / 500}


@pytest.mark.parametrize("kind", ["poisson", "gaussian", "categorical"])
def test_initialization_is_the_best_constant_prediction(kind):
    """The gradient of the masked likelihood by every offset and scale is zero at z = 0."""
    (x, mask), decoder = data(kind), build(kind)
    decoder.initialize(torch.where(mask, x, 0), mask)
    loss = negative_log_likelihood(decoder(torch.zeros(len(x), 2).double()), x, mask)
    names, offsets = zip(
        *((n, p) for n, p in decoder.named_parameters() if not n.endswith("weight")), strict=True
    )
    for name, gradient in zip(names, torch.autograd.grad(loss, offsets), strict=True):
        assert gradient.abs().max() < SLACK[kind], name


@pytest.mark.parametrize("kind", ["poisson", "gaussian", "categorical"])
def test_a_channel_never_observed_gives_a_finite_prediction(kind):
    (x, mask), decoder = data(kind), build(kind)
    mask[:, 1] = False
    decoder.initialize(torch.where(mask, x, 0), mask)
    p = decoder(torch.zeros(1, 2).double())
    assert p.log_prob(torch.zeros(1, 2).double()).isfinite().all()


@pytest.mark.parametrize("kind", ["poisson", "gaussian", "categorical"])
def test_masked_values_change_neither_loss_nor_gradient(kind):
    (x, mask), decoder = data(kind), build(kind)
    z = torch.randn(len(x), 2, generator=torch.Generator().manual_seed(0)).double()
    found = []
    for fill in (0.0, 2.0):
        loss = negative_log_likelihood(decoder(z), torch.where(mask, x, fill), mask)
        found.append((loss, *torch.autograd.grad(loss, list(decoder.parameters()))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_masked_moments_are_those_of_what_was_observed():
    x = torch.tensor([[1.0, 5.0], [3.0, 9.0], [100.0, 9.0]])
    mask = torch.tensor([[True, False], [True, False], [False, False]])
    assert masked_mean(x, mask).tolist() == [2, 0]
    assert masked_sd(x, mask).tolist() == [1, 1]


# --- recovery of parameters -------------------------------------------------------------------

TRUE_WEIGHTS = torch.tensor([[0.8, -0.3], [-0.2, 0.5]], dtype=torch.float64)


def simulated(kind, truth, seed, n=4000):
    """Latents of unit variance, and what a decoder of the true parameters makes of them."""
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)).double()
    decoder = build(kind)
    decoder.load_state_dict(truth, strict=False)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        return z, decoder(z).sample().double()


def fitted(decoder, z, x):
    """Maximum-likelihood parameters, and the inverse of their observed Fisher information."""
    parameters = list(decoder.parameters())
    mask = torch.ones(x.shape, dtype=bool)
    loss = lambda: negative_log_likelihood(decoder(z), x, mask)  # noqa: E731
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    names = [n for n, _ in decoder.named_parameters()]
    sizes = [p.numel() for p in parameters]

    def total(flat):
        parts = zip(names, flat.split(sizes), parameters, strict=True)
        values = {n: part.view_as(p) for n, part, p in parts}
        p = functional_call(decoder, values, (z,))
        return -p.log_prob(x).sum()

    flat = torch.cat([p.detach().flatten() for p in parameters])
    information = torch.autograd.functional.hessian(total, flat)
    # The softmax has directions that the data say nothing of; the contrasts below avoid them.
    return flat, torch.linalg.pinv(information, hermitian=True, rtol=1e-9)


def assert_recovered(found, covariance, truth, contrasts=None):
    contrasts = torch.eye(len(found)).double() if contrasts is None else contrasts
    errors = contrasts @ (found - truth)
    se = (contrasts @ covariance @ contrasts.T).diagonal().sqrt()
    assert (errors.abs() <= 3 * se).all(), errors / se
    # Together they are no larger than chance allows, either.
    assert stats.chi2(len(se)).sf(((errors / se) ** 2).sum()) > 1e-3


@pytest.mark.parametrize("seed", [0, 10])
def test_the_weights_of_poisson_units_are_recovered(seed):
    truth = {"log_rate.weight": TRUE_WEIGHTS, "log_rate.bias": torch.tensor([-1.0, 0.3]).double()}
    z, x = simulated("poisson", truth, seed)
    decoder = build("poisson")
    decoder.initialize(x, torch.ones(x.shape, dtype=bool))
    expected = torch.cat([truth["log_rate.weight"].flatten(), truth["log_rate.bias"]])
    assert_recovered(*fitted(decoder, z, x), expected)


@pytest.mark.parametrize("seed", [0, 10])
def test_the_weights_and_noise_of_a_gaussian_signal_are_recovered(seed):
    """In pixels of mean 300 and sd 100: center and scale of the data must not matter."""
    truth = {
        "mean.weight": 100 * TRUE_WEIGHTS,
        "mean.bias": torch.tensor([300.0, 250.0]).double(),
        "log_noise": torch.tensor([50.0, 80.0]).double().log(),
    }
    z, x = simulated("gaussian", truth, seed)
    decoder = build("gaussian")
    decoder.initialize(x, torch.ones(x.shape, dtype=bool))
    m, s = decoder.center, decoder.scale
    expected = {
        "log_noise": truth["log_noise"] - s.log(),
        "mean.weight": (truth["mean.weight"] / s[:, None]).flatten(),
        "mean.bias": (truth["mean.bias"] - m) / s,
    }
    order = [n for n, _ in decoder.named_parameters()]
    assert_recovered(*fitted(decoder, z, x), torch.cat([expected[n] for n in order]))


@pytest.mark.parametrize("seed", [0, 10])
def test_the_log_odds_of_labels_are_recovered(seed):
    """Only odds are known: weights and offsets of each level against those of the first."""
    weights = torch.tensor([[0.5, 0.0], [0.0, 1.0], [-1.0, 0.3]]).double()
    offsets = torch.tensor([0.2, 0.0, -0.5]).double()
    z = torch.randn(4000, 2, generator=torch.Generator().manual_seed(seed)).double()
    decoder = build("categorical", n_channels=1)
    decoder.load_state_dict({"logits.weight": weights, "logits.bias": offsets})
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        x = decoder(z).sample().double()
    decoder.initialize(x, torch.ones(x.shape, dtype=bool))
    against_first = torch.tensor([[-1.0, 1, 0], [-1, 0, 1]]).double()
    contrasts = torch.block_diag(
        torch.kron(against_first, torch.eye(2).double()).double(), against_first
    )
    expected = torch.cat([weights.flatten(), offsets])
    assert_recovered(*fitted(decoder, z, x), expected, contrasts)


def test_a_gaussian_never_claims_to_be_without_noise():
    decoder = GaussianDecoder(1, 1)
    with torch.no_grad():
        decoder.log_noise.fill_(-100.0)
    assert decoder(torch.zeros(1, 1)).stddev.item() == pytest.approx(math.exp(-7), rel=1e-5)
