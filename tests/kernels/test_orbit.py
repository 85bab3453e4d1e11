"""Free runs against the plain loop, with noise and without."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neurodsr.errors import ConfigError
from neurodsr.kernels import orbit
from neurodsr.kernels.noise import process_noise
from neurodsr.kernels.orbit import run_freely
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference

# Rounding of some hundred operations a step over 30 contracting steps; at kinks nothing jumps.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def random_map(seed=0, *, members=(), latent=3, hidden=10, clipped=False, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape, scale):
        return (scale * torch.randn(*members, *shape, generator=g, dtype=torch.float64)).to(dtype)

    A, h1 = draw(latent, scale=0.3).clamp(-0.9, 0.9), draw(latent, scale=0.3)
    W1, W2 = draw(latent, hidden, scale=0.3 / max(hidden, 1) ** 0.5), draw(hidden, latent, scale=1)
    h2 = draw(hidden, scale=1)
    if clipped:
        W1, W2 = torch.cat([W1, -W1], dim=-1), torch.cat([W2, W2], dim=-2)
        h2 = torch.cat([h2, torch.zeros_like(h2)], dim=-1)
    return PiecewiseLinearMap(A, W1, W2, h1, h2)


def starts(pwl, n, seed=1):
    shape = (*pwl.A.shape[:-1], n, pwl.latent_dim)
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(pwl.A.dtype)


def still(latent, dtype=torch.float64):
    """The map whose next state is 0, so that a run of it is the noise alone."""
    zero = torch.zeros(latent, dtype=dtype)
    return PiecewiseLinearMap(zero, zero[:, None], zero[None], zero, zero[:1])


def assert_same(found, expected):
    limit = TOLERANCE[expected.dtype]
    torch.testing.assert_close(found, expected, rtol=limit, atol=limit, equal_nan=True)


@given(
    seed=st.integers(0, 2**31),
    members=st.sampled_from([(), (1,), (3,)]),
    n_starts=st.sampled_from([1, 2, 3, 5, 16, 17, 40]),
    latent=st.integers(1, 9),
    hidden=st.integers(0, 40),
    clipped=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    noise=st.sampled_from([None, 0.0, 0.2]),
)
def test_a_free_run_is_the_plain_loop_with_its_noise_as_drive(
    seed, members, n_starts, latent, hidden, clipped, dtype, noise
):
    pwl = random_map(
        seed, members=members, latent=latent, hidden=hidden, clipped=clipped, dtype=dtype
    )
    z0, drive = starts(pwl, n_starts), None
    if noise is not None:
        sd = torch.full((*(members or (1,)), latent), noise, dtype=dtype)
        drive = process_noise(sd, seed=seed, n_steps=30, n_batch=n_starts)
        drive = drive if members else drive[0]
    expected = scan_reference(pwl, z0, 30, None, None, drive)
    assert_same(run_freely(pwl, z0, 30, noise=noise, seed=seed), expected)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("n_starts", [1, 20])
@pytest.mark.parametrize("every", [1, 2, 7, 33, 100])
@pytest.mark.parametrize("keep", [None, 1, 3, 1000])
def test_what_is_kept_are_the_last_of_every_so_many_states(
    monkeypatch, compiled, n_starts, every, keep
):
    if not compiled:
        monkeypatch.setattr(orbit, "load_library", lambda: None)
    pwl = random_map(members=(2,))
    z0 = starts(pwl, n_starts)
    whole = run_freely(pwl, z0, 100, noise=0.1)
    expected = whole[:, :, every - 1 + 100 % every :: every][:, :, -(keep or 1000) :]
    found = run_freely(pwl, z0, 100, noise=0.1, every=every, keep=keep, chunk=9)
    assert found.shape == expected.shape
    assert_same(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_compiled_kernels_the_run_is_the_same(monkeypatch, dtype):
    pwl = random_map(4, dtype=dtype, clipped=True)
    z0 = starts(pwl, 18)
    with_kernels = run_freely(pwl, z0, 41, noise=0.1, seed=5)
    monkeypatch.setattr(orbit, "load_library", lambda: None)
    assert_same(run_freely(pwl, z0, 41, noise=0.1, seed=5, chunk=8), with_kernels)


@pytest.mark.parametrize("n_starts", [1, 35])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_normal_to_its_tails(dtype, n_starts):
    n_steps = 100_000 // n_starts
    pwl = still(2, dtype)
    z = run_freely(pwl, starts(pwl, n_starts), n_steps, noise=torch.tensor([1.0, 0.5]).to(dtype))
    x = (z / torch.tensor([1.0, 0.5])).double().flatten()
    n = len(x)
    # Four standard errors of n independent normals, and of the count beyond 3.5 (4.65e-4 of all).
    assert abs(x.mean()) < 4 / n**0.5
    assert abs(x.var() - 1) < 4 * (2 / n) ** 0.5
    expected = 4.65e-4 * n
    assert abs((x.abs() > 3.5).sum() - expected) < 4 * expected**0.5
    assert stats.kstest(x.numpy(), "norm").pvalue > 1e-4


def test_starts_and_steps_have_noise_of_their_own():
    pwl = still(3)
    z = run_freely(pwl, starts(pwl, 40), 500, noise=1.0)
    flat = z.permute(0, 2, 1).reshape(120, 500)
    correlation = torch.corrcoef(flat) - torch.eye(120)
    # 7,140 pairs: none is expected beyond 5.3 standard errors.
    assert correlation.abs().max() < 5.3 / 500**0.5
    assert abs((flat[:, 1:] * flat[:, :-1]).mean()) < 4 / flat[:, 1:].numel() ** 0.5


def test_a_start_among_others_runs_as_it_does_alone():
    pwl = random_map(2)
    z0 = starts(pwl, 33)
    together = run_freely(pwl, z0, 50, noise=0.1, seed=8)
    assert_same(run_freely(pwl, z0[:1], 50, noise=0.1, seed=8), together[:1])


@pytest.mark.parametrize("changed", ["W1", "W2", "h2"])
def test_a_layer_that_is_nearly_clipped_is_not_taken_for_clipped(changed):
    pwl = random_map(clipped=True)
    weights = getattr(pwl, changed).clone()
    weights[..., -1] += 1e-3
    pwl = pwl._replace(**{changed: weights})
    z0 = starts(pwl, 9)
    assert_same(run_freely(pwl, z0, 20), scan_reference(pwl, z0, 20, None, None, None))


def test_tensors_with_any_strides_give_the_same():
    pwl = random_map(3, latent=4)
    twisted = PiecewiseLinearMap(*(p.mT.contiguous().mT if p.ndim > 1 else p for p in pwl[:5]))
    z0 = starts(pwl, 6)
    wide = torch.stack([z0, z0], dim=-1)[..., 0]
    assert torch.equal(run_freely(twisted, wide, 10), run_freely(pwl, z0, 10))


@pytest.mark.parametrize("n_starts", [1, 2, 20])
def test_a_start_that_diverges_leaves_the_others_alone(n_starts):
    # z' = 3 z up to float64's end, by z = relu(z) - relu(-z).
    one = torch.ones(1, 1, dtype=torch.float64)
    pwl = PiecewiseLinearMap(
        0 * one[0],
        torch.tensor([[3.0, -3.0]]).double(),
        torch.cat([one, -one]),
        0 * one[0],
        torch.zeros(2, dtype=torch.float64),
    )
    z0 = torch.zeros(n_starts, 1, dtype=torch.float64)
    z0[0] = 1.0
    z = run_freely(pwl, z0, 1000)
    assert not z[0, -1].isfinite().any()
    assert (z[1:] == 0).all()


@pytest.mark.parametrize("n_starts", [1, 20])
@pytest.mark.parametrize("name", ["A", "W1", "h2"])
def test_a_map_with_nan_gives_nan(name, n_starts):
    pwl = random_map(clipped=True)
    broken = pwl._replace(**{name: torch.full_like(getattr(pwl, name), torch.nan)})
    assert run_freely(broken, starts(pwl, n_starts), 5).isnan().all()


def test_no_starts_give_no_orbits():
    assert run_freely(random_map(), torch.zeros(0, 3).double(), 7).shape == (0, 7, 3)


def test_no_gradient_is_kept():
    pwl = PiecewiseLinearMap(*(p.requires_grad_() for p in random_map()[:5]))
    assert not run_freely(pwl, starts(pwl, 2), 3).requires_grad


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({"n_steps": 0}, "choose n_steps from 1"),
        ({"every": 0}, "choose every from 1"),
        ({"keep": 0}, "choose keep from 1"),
        ({"chunk": 0}, "choose chunk from 1"),
        ({"noise": -1.0}, r"smallest value -1[\s\S]*one standard deviation >= 0"),
        ({"noise": torch.inf}, "one standard deviation >= 0"),
        ({"noise": torch.ones(4)}, r"shape \(4,\)[\s\S]*one for each latent \(3,\)"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_runs_that_make_no_sense_are_refused(arguments, fix):
    pwl = random_map()
    with pytest.raises(ConfigError, match=fix):
        run_freely(pwl, starts(pwl, 2), **{"n_steps": 5, **arguments})


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("name", ["A", "W1", "W2", "h1", "h2"])
def test_a_map_whose_tensors_do_not_belong_together_is_refused(name):
    pwl = random_map()
    broken = pwl._replace(**{name: getattr(pwl, name)[..., :2]})
    with pytest.raises(ConfigError, match=r"has shape[\s\S]*W2 \[\*member, hidden, latent\]"):
        run_freely(broken, starts(pwl, 2), 5)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3)])
def test_starts_that_are_no_states_of_the_map_are_refused(shape):
    with pytest.raises(ConfigError, match=r"z0 has shape[\s\S]*z0 \[\*member, start, latent\]"):
        run_freely(random_map(), torch.zeros(shape).double(), 5)


def test_mixed_kinds_of_numbers_are_refused():
    with pytest.raises(ConfigError, match=r"float32 on cpu, torch.float64[\s\S]*pwl.to\("):
        run_freely(random_map(), torch.zeros(2, 3), 5)
