"""Lyapunov exponents of systems whose exponents are known."""

import math

import numpy as np
import pytest
import torch

from neurodsr.errors import ConfigError, DataError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.pwl import PiecewiseLinearMap, jacobian, step
from neurodsr.measures.lyapunov import (
    largest_exponent,
    lyapunov_history,
    lyapunov_spectrum,
    lyapunov_spectrum_of,
)


@pytest.fixture(params=["auto", "reference"])
def backend(request):
    """Compiled code, and the loop in torch that specifies it."""
    if request.param == "auto" and load_library() is None:
        pytest.skip("no compiled kernels in this installation")
    return request.param


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_map(F):
    """Any linear map in the canonical form, by z + 1 = relu(z + 1) - relu(-z - 1)."""
    F = torch.as_tensor(F, dtype=torch.float64)
    n = len(F)
    eye = torch.eye(n, dtype=torch.float64)
    rest = F - torch.diag(F.diagonal())
    return PiecewiseLinearMap(
        A=F.diagonal(),
        W1=torch.cat((rest, -rest), dim=1),
        W2=torch.cat((eye, -eye)),
        h1=-rest.sum(dim=1),
        # The kinks lie at -1, because at a kink the derivative is a matter of convention.
        h2=torch.cat((eye.sum(dim=0), -eye.sum(dim=0))),
    )


def tent_map(slope):
    """x' = slope min(x, 1 - x) as slope x - 2 slope relu(x - 1/2)."""
    one = torch.ones(1, dtype=torch.float64)
    return PiecewiseLinearMap(
        A=slope * one, W1=-2 * slope * one[None], W2=one[None], h1=0 * one, h2=-one / 2
    )


def clipped_shallow(seed, latent, hidden, *, gain=1.0):
    """A random clipped shallow map, in float32 as models have it."""
    g = seeded(seed)
    W1 = gain * torch.randn(latent, hidden, generator=g) / hidden**0.5
    W2 = torch.randn(hidden, latent, generator=g) / latent**0.5
    return PiecewiseLinearMap(
        A=0.9 * torch.rand(latent, generator=g),
        W1=torch.cat((W1, -W1), dim=1),
        W2=torch.cat((W2, W2)),
        h1=0.1 * torch.randn(latent, generator=g),
        h2=torch.cat((3 * torch.randn(hidden, generator=g), torch.zeros(hidden))),
    )


def stack(*maps):
    return PiecewiseLinearMap(*(torch.stack(p) for p in list(zip(*maps, strict=True))[:5]))


# Lorenz-63: the fourth-order Runge-Kutta map of the flow and its exact derivative


def lorenz_velocity(z):
    x, y, w = z.unbind(-1)
    return torch.stack((10 * (y - x), x * (28 - w) - y, x * y - 8 / 3 * w), dim=-1)


def lorenz_derivative(z):
    x, y, w = z.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = ((-10 * one, 10 * one, zero), (28 - w, -one, -x), (y, x, -8 / 3 * one))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def lorenz_step(z, dt=0.01):
    k1 = lorenz_velocity(z)
    k2 = lorenz_velocity(z + dt / 2 * k1)
    k3 = lorenz_velocity(z + dt / 2 * k2)
    return z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + lorenz_velocity(z + dt * k3))


def lorenz_step_jacobian(z, dt=0.01):
    eye = torch.eye(3, dtype=z.dtype)
    k1 = lorenz_velocity(z)
    k2 = lorenz_velocity(z + dt / 2 * k1)
    k3 = lorenz_velocity(z + dt / 2 * k2)
    J1 = lorenz_derivative(z)
    J2 = lorenz_derivative(z + dt / 2 * k1) @ (eye + dt / 2 * J1)
    J3 = lorenz_derivative(z + dt / 2 * k2) @ (eye + dt / 2 * J2)
    J4 = lorenz_derivative(z + dt * k3) @ (eye + dt * J3)
    return eye + dt / 6 * (J1 + 2 * J2 + 2 * J3 + J4)


def test_lorenz63_exponents_are_0p906_0_and_minus_14p57_per_time_unit():
    # Sprott 2003, Chaos and Time-Series Analysis: 0.9056, 0, -14.5723.
    z0 = torch.tensor([0.0, 0.0, 25.0]) + 5 * torch.randn(128, 3, generator=seeded())
    per_step = lyapunov_spectrum_of(lorenz_step, lorenz_step_jacobian, z0, n_steps=3000)
    per_start = per_step / 0.01
    # 3,840 time units in all; four s.e. over starts plus 0.005 for the tails of the tangents'
    # alignment at the ends of 30 time units.
    tolerance = 4 * per_start.std(dim=0) / 128**0.5 + 0.005
    assert (tolerance < 0.05).all()
    error = per_start.mean(dim=0) - torch.tensor([0.9056, 0.0, -14.5723])
    assert (error.abs() < tolerance).all()
    # The flow contracts volumes at the constant rate -(10 + 1 + 8/3); RK4 errs by O(dt^4).
    assert per_start.sum(dim=1).numpy() == pytest.approx(-41 / 3, abs=2e-3)


# Other known maps through the same code


def test_henon_exponents_are_0p419_and_sum_to_the_log_of_its_determinant():
    def henon(z):
        return torch.stack((1 - 1.4 * z[..., 0] ** 2 + z[..., 1], 0.3 * z[..., 0]), dim=-1)

    def derivative(z):
        x, one = z[..., 0], torch.ones_like(z[..., 0])
        rows = ((-2.8 * x, one), (0.3 * one, 0 * one))
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    z0 = 0.05 * torch.randn(64, 2, generator=seeded())
    exponents = lyapunov_spectrum_of(henon, derivative, z0, n_steps=4000, n_transient=200)
    # Sprott 2003: 0.41922. Four s.e. over 64 starts.
    tolerance = float(4 * exponents[:, 0].std() / 8)
    assert tolerance < 0.005
    assert float(exponents[:, 0].mean()) == pytest.approx(0.41922, abs=tolerance)
    assert exponents.sum(dim=1).numpy() == pytest.approx(math.log(0.3), abs=1e-10)


def test_the_logistic_map_at_four_has_exponent_log_two():
    z0 = torch.rand(200, 1, generator=seeded())
    exponents = lyapunov_spectrum_of(
        lambda z: 4 * z * (1 - z), lambda z: (4 - 8 * z).unsqueeze(-1), z0, n_steps=2000
    )
    # Exact (Ulam & von Neumann 1947): ln 2. Four s.e. over 200 starts.
    tolerance = float(4 * exponents.std() / 200**0.5)
    assert float(exponents.mean()) == pytest.approx(math.log(2), abs=max(tolerance, 1e-3))


@pytest.mark.parametrize("slope", [1.2, 1.9])
def test_the_tent_map_has_exponent_log_slope(slope, backend):
    exponents = lyapunov_spectrum(
        tent_map(slope), torch.tensor([[0.3], [0.7]]), n_steps=500, backend=backend
    )
    assert exponents.numpy() == pytest.approx(math.log(slope), abs=1e-12)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_linear_maps_exponents_are_the_logs_of_its_eigenvalues(every, backend):
    rng = np.random.default_rng(0)
    eigenvalues = np.array([1.1, 0.8, -0.5, 0.1])
    basis = rng.standard_normal((4, 4))
    F = basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)
    # No bias of order 1 / n_steps is left: every step counts and its growth is read off R.
    # Within 5 steps 1.1 and 0.1 drift apart by 11^5, so 11 of 16 digits remain.
    exponents = lyapunov_spectrum(
        linear_map(F), torch.zeros(4), n_steps=100, n_transient=200, every=every, backend=backend
    )
    assert exponents.numpy() == pytest.approx(np.log(np.abs(eigenvalues)), abs=1e-10)


def test_a_scaled_rotation_has_the_log_of_its_scale_twice(backend):
    c, s = math.cos(0.7), math.sin(0.7)
    F = 0.95 * torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    exponents = lyapunov_spectrum(
        linear_map(F), torch.tensor([3.0, 1.0]), n_steps=50, backend=backend
    )
    assert exponents.numpy() == pytest.approx(math.log(0.95), abs=1e-12)


# Piecewise-linear path: parity with the reference, batches, stacks


def test_products_without_the_jacobian_equal_products_with_it():
    pwl = clipped_shallow(1, 4, 30, gain=3.0)
    z0 = torch.randn(6, 4, generator=seeded())
    double = pwl.to(torch.float64)
    # Few steps, so that chaos does not amplify rounding beyond 1e-8.
    reference = lyapunov_spectrum_of(
        lambda z: step(double, z), lambda z: jacobian(double, z), z0, n_steps=30, n_transient=0
    )
    exponents = lyapunov_spectrum(pwl, z0, n_steps=30, n_transient=0)
    assert exponents.numpy() == pytest.approx(reference.numpy(), abs=1e-8)


def test_a_stack_of_members_and_starts_equals_one_by_one():
    maps = [clipped_shallow(seed, 3, 20) for seed in (1, 2)]
    z0 = torch.randn(2, 4, 3, generator=seeded())
    together = lyapunov_spectrum(stack(*maps), z0, n_steps=50, n_transient=20)
    for member, pwl in enumerate(maps):
        for start in range(4):
            alone = lyapunov_spectrum(pwl, z0[member, start], n_steps=50, n_transient=20)
            assert together[member, start].numpy() == pytest.approx(alone.numpy(), abs=1e-9)


def test_members_keep_their_own_exponents(backend):
    slopes = (1.3, 1.7)
    members = stack(*(tent_map(slope) for slope in slopes))
    exponents = largest_exponent(members, torch.full((2, 3, 1), 0.4), n_steps=200, backend=backend)
    assert exponents.numpy() == pytest.approx(np.log([[s] * 3 for s in slopes]), abs=1e-12)


def test_the_largest_exponent_is_the_first_of_the_spectrum(backend):
    pwl = clipped_shallow(1, 5, 30, gain=3.0)
    z0 = torch.randn(5, generator=seeded())
    spectrum = lyapunov_spectrum(pwl, z0, n_steps=2000, backend=backend)
    # Both tangents align with the same direction during the transient of the same orbit.
    assert float(largest_exponent(pwl, z0, n_steps=2000, backend=backend)) == pytest.approx(
        float(spectrum[0]), abs=1e-6
    )


def test_the_history_ends_at_the_spectrum_and_has_one_row_per_interval(backend):
    pwl, z0 = clipped_shallow(2, 3, 20, gain=3.0), torch.randn(4, 3, generator=seeded())
    history = lyapunov_history(pwl, z0, n_steps=60, n_transient=20, every=3, backend=backend)
    assert history.shape == (20, 4, 3)
    spectrum = lyapunov_spectrum(pwl, z0, n_steps=60, n_transient=20, every=3, backend=backend)
    assert history[-1].numpy() == pytest.approx(spectrum.numpy())


def test_exponents_descend_and_are_float64(backend):
    exponents = lyapunov_spectrum(
        clipped_shallow(3, 6, 20), torch.zeros(6), n_steps=100, n_transient=10, backend=backend
    )
    assert exponents.dtype == torch.float64
    assert (exponents.diff() <= 0).all()


def test_a_diverged_start_is_not_a_number_and_leaves_the_others_alone(backend):
    pwl = linear_map(torch.diag(torch.tensor([3.0, 0.5])))
    z0 = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    exponents = lyapunov_spectrum(pwl, z0, n_steps=100, n_transient=1000, backend=backend)
    assert exponents[0].numpy() == pytest.approx(np.log([3.0, 0.5]), abs=1e-12)
    assert exponents[1].isnan().all()


def test_a_direction_that_is_flattened_has_exponent_minus_infinity(backend):
    pwl = linear_map(torch.diag(torch.tensor([0.5, 0.0])))
    exponents = lyapunov_spectrum(pwl, torch.ones(2), n_steps=20, n_transient=0, backend=backend)
    assert exponents.tolist() == pytest.approx([math.log(0.5), -math.inf])


# What is refused


def test_a_last_partial_interval_is_refused_with_the_next_multiple():
    # Regression: a partial interval counted in the time but not in the growth is a bias.
    with pytest.raises(ConfigError, match=r"n_steps=1003[\s\S]*n_steps=1005"):
        lyapunov_spectrum(tent_map(1.5), torch.tensor([0.3]), n_steps=1003, every=5)


@pytest.mark.parametrize(
    "option", [{"n_steps": 0}, {"n_steps": 10, "every": 0}, {"n_steps": 10, "n_transient": -1}]
)
def test_lengths_that_make_no_average_are_refused(option):
    with pytest.raises(ConfigError, match="use n_transient >= 0, every >= 1"):
        largest_exponent(tent_map(1.5), torch.tensor([0.3]), **option)


def test_a_state_of_another_dimension_is_refused_with_both_shapes():
    with pytest.raises(DataError, match=r"\(3,\).*\(1,\)[\s\S]*\[latent\] or \[start, latent\]"):
        lyapunov_spectrum(tent_map(1.5), torch.zeros(3), n_steps=10)


def test_a_stack_without_a_member_axis_in_the_state_is_refused():
    members = stack(tent_map(1.3), tent_map(1.7))
    with pytest.raises(DataError, match=r"give z0 as \[member, start, latent\]"):
        lyapunov_history(members, torch.zeros(2, 1), n_steps=10)
