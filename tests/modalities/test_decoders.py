"""The observation models of behavior: known likelihoods, and constants that fit best."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.func import functional_call

from neurodsr.modalities.angle import AngleDecoder
from neurodsr.modalities.binary import BinaryDecoder
from neurodsr.modalities.categorical import CategoricalDecoder
from neurodsr.modalities.decoders import masked_mean, masked_sd
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.gaussian import GaussianDecoder
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.ordinal import OrdinalDecoder
from neurodsr.modalities.student import StudentDecoder

N_DRAWS = 20_000
N_LEVELS = 4
KINDS = ("gaussian", "student", "angle", "categorical", "ordinal", "events")
each_kind = pytest.mark.parametrize("kind", KINDS)


def build(kind, n_channels=2, latent_dim=2):
    """An untrained decoder in float64, the same at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        decoder = {
            "gaussian": lambda: GaussianDecoder(n_channels, latent_dim),
            "student": lambda: StudentDecoder(n_channels, latent_dim),
            "angle": lambda: AngleDecoder(n_channels, latent_dim),
            "categorical": lambda: CategoricalDecoder(n_channels, N_LEVELS, latent_dim),
            "ordinal": lambda: OrdinalDecoder(n_channels, N_LEVELS, latent_dim),
            "events": lambda: BinaryDecoder(n_channels, latent_dim),
        }[kind]()
    return decoder.double()


def data(kind, n=400):
    """Two channels of which some 70 % are observed."""
    rng = np.random.default_rng(1)
    x = {
        "gaussian": rng.normal([100.0, -3.0], [5.0, 0.1], (n, 2)),
        "student": [100.0, -3.0] + [5.0, 0.1] * rng.standard_t([4.0, 8.0], (n, 2)),
        "angle": rng.vonmises([3.0, -1.0], [2.0, 40.0], (n, 2)),
        "categorical": rng.choice(N_LEVELS, (n, 2), p=[0.5, 0.3, 0.1, 0.1]),
        "ordinal": rng.choice(N_LEVELS, (n, 2), p=[0.1, 0.2, 0.3, 0.4]),
        "events": rng.random((n, 2)) < [0.1, 0.6],
    }[kind]
    mask = torch.from_numpy(rng.random((n, 2)) < 0.7)
    return torch.where(mask, torch.tensor(x, dtype=torch.float64), 0), mask


def loss(decoder, z, x, mask):
    """Mean negative log-likelihood per observed scalar."""
    return -(decoder(z).log_prob(x) * mask).sum() / mask.sum()


def latents(n, seed=0, dim=2):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def constant(kind, state):
    """The distribution of one channel at z = 0, for the given offsets."""
    decoder = build(kind, n_channels=1)
    decoder.load_state_dict(
        {k: torch.as_tensor(v, dtype=torch.float64) for k, v in state.items()}, strict=False
    )
    return decoder, decoder(torch.zeros(1, 2).double())


def bounded(low, high, value):
    return Bounded(low, high, initial=torch.tensor([value])).state_dict()["coordinate"]


# One channel of each kind with known parameters, and the same distribution by SciPy.
KNOWN = {
    "gaussian": (
        {"mean.bias": [1.0], "log_noise": [math.log(0.5)]},
        stats.norm(1.0, 0.5),
    ),
    "student": (
        {
            "mean.bias": [1.0],
            "log_noise": [math.log(0.5)],
            "freedom.coordinate": bounded(2.0, 100.0, 4.0),
        },
        stats.t(4.0, 1.0, 0.5),
    ),
    "angle": (
        {
            "vector.bias": [3 * math.cos(2.0), 3 * math.sin(2.0)],
            "concentration.coordinate": bounded(0.01, 1e4, 3.0),
        },
        stats.vonmises(3.0, 2.0),
    ),
    "categorical": (
        {"logits.bias": 3 + np.log([0.1, 0.2, 0.3, 0.4])},
        stats.rv_discrete(values=(range(4), [0.1, 0.2, 0.3, 0.4])),
    ),
    "ordinal": (
        {"lowest": [-1.0], "log_gaps": np.log([[0.5, 2.0]])},
        stats.rv_discrete(
            values=(range(4), np.diff(stats.logistic.cdf([-np.inf, -1, -0.5, 1.5, np.inf])))
        ),
    ),
    "events": ({"log_odds.bias": [math.log(0.3 / 0.7)]}, stats.bernoulli(0.3)),
}
CODES = {"categorical": 4, "ordinal": 4, "events": 2}


@each_kind
def test_the_likelihood_is_the_textbooks(kind):
    (_, p), known = constant(kind, KNOWN[kind][0]), KNOWN[kind][1]
    x = np.arange(CODES[kind]) if kind in CODES else np.linspace(-3, 3, 13)
    expected = known.logpmf(x) if kind in CODES else known.logpdf(x)
    found = p.log_prob(torch.tensor(x, dtype=torch.float64)[:, None])[:, 0]
    # Values that bounded parameters have start in float32.
    np.testing.assert_allclose(found.detach(), expected, rtol=2e-6)


@each_kind
def test_the_probabilities_of_all_values_sum_to_one(kind):
    _, p = constant(kind, KNOWN[kind][0])
    if kind in CODES:
        x = torch.arange(CODES[kind]).double()
        total = p.log_prob(x[:, None]).exp().sum()
    else:
        edge = math.pi if kind == "angle" else 400.0  # beyond, t has a mass of 1e-11
        x = torch.linspace(-edge, edge, 400_001).double()
        total = torch.trapezoid(p.log_prob(x[:, None])[:, 0].exp(), x)
    assert total.item() == pytest.approx(1, abs=1e-7)  # of the trapezoids


@each_kind
def test_samples_follow_the_likelihood(kind):
    decoder, p = constant(kind, KNOWN[kind][0])
    known = KNOWN[kind][1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = decoder.simulate(torch.zeros(N_DRAWS, 2).double())[:, 0].numpy()
    if kind not in CODES:
        if kind == "angle":  # SciPy's lie within half a turn of their mean
            x = 2 + np.angle(np.exp(1j * (x - 2)))
        assert stats.kstest(x, known.cdf).pvalue > 1e-3
        return
    n = CODES[kind]
    expected = p.log_prob(torch.arange(n).double()[:, None]).exp()[:, 0].detach() * N_DRAWS
    assert stats.chisquare(np.bincount(x.astype(int), minlength=n), expected).pvalue > 1e-3


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("gaussian", 1), ("student", 1), ("angle", 2), ("categorical", 3), ("ordinal", 2),
     ("events", 0.3)],
)  # fmt: skip
def test_the_point_prediction_is_in_the_streams_own_unit(kind, expected):
    """A mean, a circular mean, the likeliest code, the median level, a probability."""
    decoder, p = constant(kind, KNOWN[kind][0])
    assert decoder.predict(p).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_levels", [2, 5])
def test_the_median_level_is_where_half_of_the_probability_lies_on_either_side(n_levels):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = OrdinalDecoder(3, n_levels, 2)
    p = decoder(5 * latents(200).float())
    below = p.probs.cumsum(-1)
    expected = (below < 0.5).sum(-1).float()
    assert torch.equal(decoder.predict(p), expected)
    assert len(expected.unique()) == n_levels


# --- the best constant prediction -------------------------------------------------------------

# Labels add half a count to each level, which moves the optimum by that over the counts. L-BFGS
# ends where the loss no longer changes by 1e-9, and so its root is left of the gradient.
SLACK = dict.fromkeys(KINDS, 1e-9) | {"categorical": 2 / 500, "student": 3e-5}


@each_kind
def test_initialization_is_the_best_constant_prediction(kind):
    """The gradient of the masked likelihood by every offset and scale is zero at z = 0."""
    (x, mask), decoder = data(kind), build(kind)
    decoder.initialize(Observed(x, mask))
    value = loss(decoder, torch.zeros(1, 2).double(), x, mask)
    names, offsets = zip(
        *((n, p) for n, p in decoder.named_parameters() if not n.endswith("weight")), strict=True
    )
    for name, gradient in zip(names, torch.autograd.grad(value, offsets), strict=True):
        assert gradient.abs().max() < SLACK[kind], name


@each_kind
def test_initialization_does_not_depend_on_what_was_there_before(kind):
    (x, mask), decoder = data(kind), build(kind)
    states = []
    for values in (x, x.roll(1, 0), x):
        decoder.initialize(Observed(values, mask))
        states.append({k: v.clone() for k, v in decoder.state_dict().items()})
    assert all(torch.equal(v, states[2][k]) for k, v in states[0].items())


@each_kind
def test_a_channel_never_observed_gives_a_finite_prediction(kind):
    (x, mask), decoder = data(kind), build(kind)
    mask[:, 1] = False
    decoder.initialize(Observed(torch.where(mask, x, 0), mask))
    p = decoder(torch.zeros(1, 2).double())
    assert p.log_prob(torch.zeros(1, 2).double()).isfinite().all()


@each_kind
def test_a_channel_that_never_changes_gives_a_finite_prediction(kind):
    (x, mask), decoder = data(kind), build(kind)
    x[:, 1] = 1
    decoder.initialize(Observed(x, mask))
    p = decoder(torch.zeros(1, 2).double())
    assert p.log_prob(torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double()).isfinite().all()
    assert decoder.predict(p)[0, 1].item() == pytest.approx(1, abs=0.01)  # half a count in 280


@each_kind
def test_masked_values_change_neither_loss_nor_gradient_nor_initialization(kind):
    (x, mask), decoder, other = data(kind), build(kind), build(kind)
    z, filled = latents(len(x)), torch.where(mask, x, 1)
    found = []
    for d, values in ((decoder, x), (other, filled)):
        d.initialize(Observed(values, mask))
        value = loss(d, z, values, mask)
        found.append((value, *torch.autograd.grad(value, list(d.parameters()))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("kind", ["categorical", "ordinal"])
@pytest.mark.parametrize("absent", range(N_LEVELS))
def test_a_level_that_never_occurs_in_training_keeps_a_finite_likelihood(kind, absent):
    """After training that pushes it away as far as it goes, too."""
    decoder, z = build(kind, n_channels=1), latents(300)
    x = torch.tensor(np.random.default_rng(0).choice(N_LEVELS, (300, 1))).double()
    mask = x != absent
    decoder.initialize(Observed(x * mask, mask))
    start = [p.detach().clone() for p in decoder.parameters()]
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.3)
    for _ in range(300):
        optimizer.zero_grad()
        loss(decoder, z, x * mask, mask).backward()
        optimizer.step()
    assert not torch.equal(start[0], next(decoder.parameters()))
    value = loss(decoder.float(), z.float(), x.float(), ~mask)
    assert value.isfinite()
    assert all(g.isfinite().all() for g in torch.autograd.grad(value, list(decoder.parameters())))
    assert all(p.isfinite().all() for p in decoder.parameters())


def test_thresholds_stay_in_order_whatever_their_parameters_are():
    decoder = OrdinalDecoder(1, 6, 1)
    with torch.no_grad():
        decoder.log_gaps.copy_(torch.tensor([[-1e9, 1e9, 0.0, -50.0]]))
    assert (decoder.thresholds.diff() > 0).all()
    assert decoder.thresholds.isfinite().all()


# --- gradients --------------------------------------------------------------------------------


@each_kind
def test_gradients_are_those_of_finite_differences(kind):
    (x, mask), decoder, z = data(kind, n=5), build(kind), latents(5)
    decoder.initialize(Observed(x, mask))
    names, parameters = zip(*decoder.named_parameters(), strict=True)

    def likelihood(z, *values):
        return functional_call(decoder, dict(zip(names, values, strict=True)), (z,)).log_prob(x)

    assert torch.autograd.gradcheck(likelihood, (z.requires_grad_(), *parameters))


@each_kind
@pytest.mark.parametrize("size", [0.0, 1e4])
def test_likelihood_and_gradients_are_finite_at_extremes(kind, size):
    """At the origin, where a direction has none; and for latents and outliers far out."""
    (x, mask), decoder = data(kind), build(kind).float()
    decoder.initialize(Observed(x.float(), mask))
    if kind == "angle":
        decoder.vector.bias.data.zero_()
    if kind in ("gaussian", "student"):
        x = 1e6 * x
    z = (size * latents(len(x)).float()).requires_grad_()
    value = loss(decoder, z, x.float(), mask)
    assert value.isfinite()
    for gradient in torch.autograd.grad(value, [z, *decoder.parameters()]):
        assert gradient.isfinite().all()


# --- what is particular to one of them --------------------------------------------------------


def test_masked_moments_are_those_of_what_was_observed():
    x = torch.tensor([[1.0, 5.0], [3.0, 9.0], [100.0, 9.0]])
    mask = torch.tensor([[True, False], [True, False], [False, False]])
    assert masked_mean(x, mask).tolist() == [2, 0]
    assert masked_sd(x, mask).tolist() == [1, 1]


def test_a_gaussian_never_claims_to_be_without_noise():
    decoder = GaussianDecoder(1, 1)
    with torch.no_grad():
        decoder.log_noise.fill_(-100.0)
    assert decoder(torch.zeros(1, 1)).stddev.item() == pytest.approx(math.exp(-7), rel=1e-5)


def test_a_gaussian_has_the_parameters_and_the_order_of_draws_that_it_always_had():
    decoder = GaussianDecoder(3, 2)
    assert [n for n, _ in decoder.named_parameters()] == ["log_noise", "mean.weight", "mean.bias"]
    assert [n for n, _ in decoder.named_buffers()] == ["center", "scale"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = GaussianDecoder(3, 2).mean.weight
        torch.manual_seed(0)
        assert torch.equal(drawn, torch.nn.Linear(2, 3).weight)


def test_degrees_of_freedom_and_concentration_stay_within_their_bounds():
    student, angle = StudentDecoder(1, 1), AngleDecoder(1, 1)
    for coordinate, freedom, concentration in ((-1e3, 2, 0.01), (1e3, 100, 1e4)):
        with torch.no_grad():
            student.freedom.coordinate.fill_(coordinate)
            angle.concentration.coordinate.fill_(coordinate)
        p, q = student(torch.zeros(1, 1)), angle(torch.zeros(1, 1))
        assert p.df.item() == freedom
        assert q.concentration.item() == pytest.approx(concentration, rel=1e-6)
        assert p.log_prob(torch.ones(1, 1)).isfinite().all()
        assert q.log_prob(torch.ones(1, 1)).isfinite().all()


def test_outliers_hardly_move_what_a_heavy_tailed_signal_starts_from():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(5.0, 1.0, (1000, 1)))
    x[::50] = 1e4  # a tracker that jumped
    decoder = build("student", n_channels=1)
    decoder.initialize(Observed(x, torch.ones(x.shape, dtype=bool)))
    p = decoder(torch.zeros(1, 2).double())
    assert p.loc.item() == pytest.approx(5, abs=0.15)  # five standard errors of a mean
    assert 0.5 < p.scale.item() < 1.5


def test_a_signal_that_mostly_stands_still_has_a_scale_all_the_same():
    """More than half of it alike: the median absolute deviation is 0."""
    x = torch.tensor(np.random.default_rng(0).normal(size=(300, 1)))
    x[100:] = 2.0
    decoder = build("student", n_channels=1)
    decoder.initialize(Observed(x, torch.ones(x.shape, dtype=bool)))
    assert decoder.scale.item() == pytest.approx(x.std(correction=0).item())
    assert decoder(torch.zeros(1, 2).double()).log_prob(x).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -6.9078, 1e9])
def test_a_channel_of_one_value_does_not_vary_by_rounding(value, dtype):
    x = torch.full((5001, 1), value, dtype=dtype)
    assert masked_sd(x, torch.ones(5001, 1, dtype=torch.bool)).tolist() == [1]


def test_a_small_variation_around_a_large_mean_is_kept():
    """Half the values one apart, around 10 000: sd 1/2; float32 resolves 1e-3 there."""
    x = 10_000 + (torch.arange(5000) % 2)[:, None].float()
    sd = masked_sd(x, torch.ones(5000, 1, dtype=torch.bool))
    torch.testing.assert_close(sd, torch.tensor([0.5]))
