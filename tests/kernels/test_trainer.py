"""Training in compiled code, against torch's own optimizer and the plain loop in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference
from neurodsr.kernels.trainer import Schedule, TrainingProblem, can_train, train_steps

pytestmark = pytest.mark.skipif(load_library() is None, reason="no compiled kernels here")


def problem(latent=3, hidden=5, *, window=7, batch=4, dtype=torch.float64, **changes):
    """One possible window, so that nothing depends on what is drawn."""
    g = torch.Generator().manual_seed(latent)
    facts = {
        "path": torch.randn(window + 1, latent, generator=g, dtype=dtype),
        "starts": torch.tensor([0]),
        "window": window,
        "hidden_dim": hidden,
        "batch_size": batch,
        "variance": 2.5,
        "weight_decay": 0.01,
        "max_gradient": 1e9,
        "noise": None,
        "seed": 3,
    }
    return TrainingProblem(**(facts | changes))


def schedule(n, *, alpha=0.3, rate=0.01, keep=0.9):
    return Schedule(*(torch.full((n,), x, dtype=torch.float64) for x in (alpha, rate, keep)))


def numbers_of(given_problem):
    """Random parameters, no moments yet, and the parameters as their own average.

    Small ones, since a map that amplifies would amplify rounding, too.
    """
    g = torch.Generator().manual_seed(1)
    n = given_problem.n_parameters
    first = 0.3 * torch.randn(n, generator=g, dtype=torch.float64).to(given_problem.path.dtype)
    return torch.stack([first, torch.zeros_like(first), torch.zeros_like(first), first])


def loss_of(parameters, p, alpha):
    """The specification: the canonical map along the one window."""
    latent, hidden = p.path.shape[1], p.hidden_dim
    sizes = [latent, latent * hidden, latent * hidden, latent, hidden]
    a, W1, W2, h1, h2 = parameters.split(sizes)
    W1, W2 = W1.view(latent, hidden), W2.view(hidden, latent)
    pwl = PiecewiseLinearMap(
        a.tanh(), torch.cat([W1, -W1], 1), torch.cat([W2, W2]), h1, torch.cat([h2, 0 * h2])
    )
    forcing, alpha = p.path[None, :-1], torch.tensor(alpha, dtype=p.path.dtype)
    z = scan_reference(pwl, forcing[:, 0], p.window, forcing, alpha, None)
    penalty = pwl.W1.square().sum() + pwl.W2.square().sum()
    return (z[0] - p.path[1:]).square().sum(-1).mean() / p.variance + p.weight_decay * penalty


def steps_by_torch(numbers, p, plan):
    """Losses, and the parameters and their average after each step, by torch.optim.RAdam."""
    parameters = torch.nn.Parameter(numbers[0].clone())
    optimizer = torch.optim.RAdam([parameters], lr=1.0)
    average, losses, after = parameters.detach().clone(), [], []
    for alpha, rate, keep in zip(*(x.tolist() for x in plan), strict=True):
        optimizer.zero_grad()
        loss = loss_of(parameters, p, alpha)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([parameters], p.max_gradient)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        average = keep * average + (1 - keep) * parameters.detach()
        losses.append(loss.item())
        after.append(torch.stack([parameters.detach(), average]))
    return losses, torch.stack(after)


def steps_one_by_one(numbers, p, plan):
    losses, after = [], []
    for k in range(len(plan.alpha)):
        one = Schedule(*(x[k : k + 1] for x in plan))
        losses += train_steps(numbers, p, one, first=k).tolist()
        after.append(numbers[[0, 3]])
    return losses, torch.stack(after)


@settings(max_examples=40)
@given(
    latent=st.integers(1, 10),
    hidden=st.integers(1, 20),
    window=st.integers(1, 70),
    batch=st.integers(1, 40),
    max_gradient=st.sampled_from([1e-3, 1e9]),
)
def test_every_step_is_that_of_torch(latent, hidden, window, batch, max_gradient):
    """RAdam's adaptive rate sets in at step 6."""
    p = problem(latent, hidden, window=window, batch=batch, max_gradient=max_gradient)
    plan = Schedule(
        *(torch.linspace(x, y, 9).double() for x, y in ((0.9, 0.2), (0.01, 0.001), (0, 0.9)))
    )
    numbers = numbers_of(p)
    expected_losses, expected = steps_by_torch(numbers, p, plan)
    losses, found = steps_one_by_one(numbers, p, plan)
    # The same numbers in another order: some 1e3 roundings of 1e-16 each, and RAdam divides by
    # gradients, which may be a thousand times smaller than what they are sums of.
    torch.testing.assert_close(losses, expected_losses, rtol=1e-10, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("latent", [1, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("batch", [3, 16, 40])
def test_in_float32_a_step_keeps_four_digits(latent, batch):
    exact = problem(latent, 21, batch=batch, window=40)
    single = exact._replace(path=exact.path.float())
    expected, found = numbers_of(exact), numbers_of(exact).float()
    (loss,) = train_steps(expected, exact, schedule(1), first=0)
    (in_single,) = train_steps(found, single, schedule(1), first=0)
    torch.testing.assert_close(in_single, loss, rtol=1e-5, atol=0)
    # The first moment is a tenth of the gradient. 6e-8 a product in a chain of 40 steps.
    error = (found[1].double() - expected[1]).norm() / expected[1].norm()
    assert error < 1e-4


@pytest.mark.parametrize("parts", [(20,), (1,) * 20, (7, 13)])
def test_steps_in_one_call_are_those_of_several_calls_bit_for_bit(parts):
    p = problem(dtype=torch.float32, noise=torch.full((3,), 0.1))
    expected = numbers_of(p)
    losses = train_steps(expected, p, schedule(20), first=0)
    numbers, found, first = numbers_of(p), [], 0
    for n in parts:
        found.append(train_steps(numbers, p, schedule(n), first=first))
        first += n
    assert torch.equal(torch.cat(found), losses)
    assert torch.equal(numbers, expected)


def test_what_is_drawn_depends_on_the_number_of_the_step():
    path = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    p = problem(dtype=torch.float32, path=path, starts=torch.arange(300))
    losses = {float(train_steps(numbers_of(p), p, schedule(1), first=k)[0]) for k in range(20)}
    assert len(losses) == 20


def test_a_map_that_gives_the_next_state_has_no_loss_but_the_penalty():
    """z' = z / 2 + 1, along its own orbit; W2 = 0 and h2 < 0 silence the hidden units."""
    orbit = [torch.tensor([0.0])]
    for _ in range(7):
        orbit.append(orbit[-1] / 2 + 1)
    p = problem(1, 2, path=torch.stack(orbit).double(), batch=1)
    a, W1, W2, h1, h2 = 0.5493061443340549, [0.3, 0.4], [0, 0], 1, [-5, -6]
    numbers = torch.zeros(4, p.n_parameters, dtype=torch.float64)
    numbers[0] = torch.tensor([a, *W1, *W2, h1, *h2], dtype=torch.float64)
    (loss,) = train_steps(numbers, p, schedule(1), first=0)
    assert loss.item() == pytest.approx(0.01 * 2 * (0.3**2 + 0.4**2), rel=1e-12)


def test_steps_end_before_one_that_is_not_finite_and_leave_what_was_before_it():
    path = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    path[200] = torch.nan
    p = problem(dtype=torch.float32, path=path, starts=torch.arange(300), batch=1)
    numbers = numbers_of(p)
    losses = train_steps(numbers, p, schedule(1000), first=0)
    taken = len(losses)
    assert 0 < taken < 1000  # one window in forty holds the spoilt bin
    assert losses.isfinite().all()
    expected = numbers_of(p)
    train_steps(expected, p, schedule(taken), first=0)
    assert torch.equal(numbers, expected)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_map_that_is_not_finite_takes_no_step(value, dtype):
    p = problem(dtype=dtype)
    numbers = numbers_of(p)
    numbers[0, 0 if value is torch.nan else 20] = value
    before = numbers.clone()
    assert len(train_steps(numbers, p, schedule(3), first=0)) == 0
    assert torch.equal(numbers.nan_to_num(7), before.nan_to_num(7))


def test_no_step_is_no_step():
    p = problem()
    numbers = numbers_of(p)
    assert len(train_steps(numbers, p, schedule(0), first=0)) == 0
    assert torch.equal(numbers, numbers_of(p))


def test_there_is_code_for_floats_on_the_cpu_alone():
    assert can_train(torch.zeros(1), torch.zeros(1, dtype=torch.float64))
    assert not can_train(torch.zeros(1, dtype=torch.float16))
    assert not can_train(torch.zeros(1, device="meta"))


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"hidden_dim": 6}, r"shape \(4, 41\), expected \(4, 48\)"),
        ({"hidden_dim": 0}, "expected"),
        ({"window": 0}, "window is 0"),
        ({"window": 8}, r"in a path of 8 bins those of 8 steps may in 0 to -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"starts": torch.tensor([0, 1])}, "bins 0 to 1"),
        ({"starts": torch.tensor([-1, 0])}, "bins -1 to 0"),
        ({"starts": torch.tensor([], dtype=torch.int64)}, "0 windows to choose from"),
        ({"noise": torch.ones(2, dtype=torch.float64)}, r"noise is \(2,\)"),
        ({"noise": torch.ones(3)}, "torch.float32, expected one torch.float64"),
        ({"path": torch.zeros(8, 3)}, "path is torch.float32, numbers are torch.float64"),
        ({"path": torch.zeros(8, 3, dtype=torch.float64, device="meta")}, "lie on meta"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, what):
    p = problem()
    with pytest.raises(ConfigError, match=what) as refused:
        train_steps(numbers_of(p), p._replace(**changes), schedule(1), first=0)
    assert "TrainingProblem" in refused.value.fix


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (schedule(2)._replace(rate=torch.zeros(3, dtype=torch.float64)), r"\(2,\), \(3,\)"),
        (schedule(2)._replace(keep=torch.zeros(2)), "float32"),
    ],
)
def test_a_schedule_that_is_not_one_is_refused(plan, what):
    with pytest.raises(ConfigError, match=what):
        train_steps(numbers_of(problem()), problem(), plan, first=0)


def test_tensors_with_gaps_give_the_same():
    p = problem()
    spread = torch.zeros(8, 6, dtype=torch.float64)
    spread[:, ::2] = p.path
    expected, found = numbers_of(p), numbers_of(p)
    train_steps(expected, p, schedule(4), first=0)
    train_steps(found, p._replace(path=spread[:, ::2]), schedule(4), first=0)
    assert torch.equal(found, expected)
