"""What holds for every distribution: shapes, number formats, checks, and finite gradients."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from neurodsr.modalities.distributions.gaussian import Gaussian
from neurodsr.modalities.distributions.negative_binomial import NegativeBinomial
from neurodsr.modalities.distributions.ordered import Ordered
from neurodsr.modalities.distributions.poisson import Poisson
from neurodsr.modalities.distributions.von_mises import VonMises
from neurodsr.modalities.distributions.zero_inflated_gamma import ZeroInflatedGamma
from neurodsr.modalities.distributions.zero_inflated_poisson import ZeroInflatedPoisson


def ordered(location, first, gap, **options):
    """Four levels with evenly spaced thresholds, and a fifth that the channel lacks."""
    thresholds = first.unsqueeze(-1) + gap.unsqueeze(-1) * torch.arange(3.0).to(gap)
    lacking = torch.full_like(first, torch.inf).unsqueeze(-1)
    return Ordered(location, torch.cat([thresholds, lacking], -1), **options)


def poisson(rate, factor, **options):
    """A rate that is a product, so that there is something to broadcast."""
    return Poisson(rate * factor, **options)


@dataclass(frozen=True)
class Case:
    """A distribution of scalar parameters: ordinary ones, extreme ones, values, and bad ones."""

    build: Callable
    ordinary: tuple[float, ...]
    extremes: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    bad_parameters: tuple[float, ...]
    bad_value: float


RATES = (1e-8, 1.0, 1e4)
LOGITS = (-1e4, -20.0, 0.0, 20.0, 1e4)
CASES = {
    "poisson": Case(
        poisson, (3.0, 0.5), (RATES, (0.5, 1.0)), (0.0, 1.0, 2.0, 1e4), (-1.0, 0.5), 0.5
    ),
    "gaussian": Case(
        Gaussian,
        (0.5, 2.0),
        ((-1e4, 0.0, 3.0), (1e-6, 1.0, 1e4)),
        (-1e4, 0.0, 3.0),
        (0.5, -2.0),
        torch.nan,
    ),
    "negative_binomial": Case(
        NegativeBinomial,
        (3.0, 0.5),
        (RATES, (0.0, 1e-8, 1e-3, 0.0999, 0.1, 1.0, 1e4)),
        (0.0, 1.0, 2.0, 1e4),
        (3.0, -0.5),
        0.5,
    ),
    "zero_inflated_poisson": Case(
        ZeroInflatedPoisson, (3.0, 0.5), (RATES, LOGITS), (0.0, 1.0, 1e4), (-1.0, 0.5), -1.0
    ),
    "zero_inflated_gamma": Case(
        ZeroInflatedGamma,
        (0.5, 2.0, 3.0),
        (LOGITS, RATES, RATES),
        (0.0, 1e-30, 1.0, 1e4),
        (0.5, 0.0, 3.0),
        -1.0,
    ),
    "ordered": Case(
        ordered,
        (0.3, -1.0, 0.7),
        (LOGITS, (-1e4, -1.0, 1e4), (1e-8, 1.0, 1e4)),
        (0.0, 1.0, 3.0),
        (0.3, -1.0, -0.7),
        4.0,
    ),
    "von_mises": Case(
        VonMises,
        (0.5, 2.0),
        ((-1e4, 0.0, 3.0), (1e-30, 1e-8, 1.0, 29.9, 30.1, 1e4, 1e8)),
        (-100.0, 0.0, 1e-20, 3.0),
        (0.5, -2.0),
        torch.nan,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
both_formats = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def scalars(numbers, dtype=torch.float64):
    return [torch.tensor(n, dtype=dtype) for n in numbers]


@every_case
@both_formats
def test_log_probabilities_and_their_gradients_are_finite_at_extremes(case, dtype):
    axes = [torch.tensor(axis, dtype=dtype) for axis in (*case.extremes, case.values)]
    *parameters, x = torch.meshgrid(*axes, indexing="ij")
    parameters = [p.clone().requires_grad_() for p in parameters]
    log_prob = case.build(*parameters, validate_args=False).log_prob(x)
    assert log_prob.isfinite().all()
    for gradient in torch.autograd.grad(log_prob.sum(), parameters):
        assert gradient.isfinite().all()


@every_case
def test_gradients_and_curvatures_are_those_of_finite_differences(case):
    parameters = [p.requires_grad_() for p in scalars(case.ordinary)]
    # One value at a time: the rounding of a huge log-probability would drown the others'.
    for x in scalars(v for v in case.values if v < 10):

        def log_prob(*p, x=x):
            return case.build(*p).log_prob(x)

        assert torch.autograd.gradcheck(log_prob, parameters)
        assert torch.autograd.gradgradcheck(log_prob, parameters)


@every_case
@both_formats
def test_parameters_broadcast_and_keep_their_number_format(case, dtype):
    first, *others = scalars(case.ordinary, dtype)
    p = case.build(first.expand(4, 1), *(o.expand(3) for o in others))
    x = torch.zeros(3, dtype=dtype)
    assert (p.batch_shape, p.event_shape) == ((4, 3), ())
    assert p.sample((2,)).shape == (2, 4, 3)
    for found in (p.sample(), p.log_prob(x), p.mean, p.variance):
        assert (found.shape, found.dtype) == ((4, 3), dtype)


@every_case
def test_values_may_have_more_dimensions_than_the_batch(case):
    p = case.build(*scalars(case.ordinary))
    x = torch.tensor(case.values, dtype=torch.float64)
    assert torch.equal(p.log_prob(x[:, None])[:, 0], torch.stack([p.log_prob(v) for v in x]))


@every_case
def test_an_expanded_distribution_is_the_same_one_in_every_element(case):
    p = case.build(*scalars(case.ordinary), validate_args=False)
    expanded, x = p.expand((5, 2)), torch.tensor(1.0, dtype=torch.float64)
    assert expanded.batch_shape == (5, 2)
    assert torch.equal(expanded.log_prob(x), p.log_prob(x).expand(5, 2))
    assert expanded._validate_args is False


@every_case
def test_nothing_leaves_the_device_of_the_parameters(case):
    """On the device without memory, where mixing in a number of another one is an error."""
    p = case.build(*(s.to("meta") for s in scalars(case.ordinary)), validate_args=False)
    for found in (p.log_prob(torch.zeros(3, device="meta")), p.mean, p.variance):
        assert found.device.type == "meta"


@every_case
def test_samples_come_from_the_global_generator(case):
    p, draws = case.build(*scalars(case.ordinary)).expand((50,)), []
    with torch.random.fork_rng():
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            draws.append(p.sample())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@every_case
def test_samples_carry_no_gradient_and_have_a_probability(case):
    parameters = [p.requires_grad_() for p in scalars(case.ordinary)]
    p = case.build(*parameters, validate_args=True)
    x = p.sample((100,))
    assert not x.requires_grad
    assert p.log_prob(x).isfinite().all()


@every_case
def test_bad_parameters_are_refused_if_checked(case):
    with pytest.raises(ValueError, match="to satisfy the constraint"):
        case.build(*scalars(case.bad_parameters), validate_args=True)
    case.build(*scalars(case.bad_parameters), validate_args=False)


@every_case
def test_values_outside_the_support_are_refused_if_checked(case):
    bad = torch.tensor(case.bad_value, dtype=torch.float64)
    with pytest.raises(ValueError, match="to be within the support"):
        case.build(*scalars(case.ordinary), validate_args=True).log_prob(bad)
    case.build(*scalars(case.ordinary), validate_args=False).log_prob(bad)
