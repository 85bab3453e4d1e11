"""The Triton path: in Triton's interpreter against the plain loop, and compiled without a GPU."""

import os
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.kernels import triton_scan, triton_trial
from neurodsr.kernels.devices import scan_tiles, sum_tiles
from neurodsr.kernels.path import Path, Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap, step
from neurodsr.kernels.scan import scan_reference

triton = pytest.importorskip("triton", reason="Triton is not installed")

ALPHAS = {
    "each bin": (1, 1, -1, 1),
    "each latent": (1, 1, 1, -1),
    "each member": (-1, 1, 1, 1),
    "each sample": (1, -1, 1, 1),
    "everything": (-1, -1, -1, -1),
}


@pytest.fixture(scope="module")
def interpreter():
    """A process in which kernels run in the interpreter: Triton is told so before its import."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRITON_INTERPRET", "1")
            assert pool.submit(os.getenv, "TRITON_INTERPRET").result() == "1"
        yield pool


@pytest.fixture(scope="module")
def interpreted(interpreter):
    """The Triton path, computed there."""

    def bare(x):
        return x.detach() if isinstance(x, torch.Tensor) else x

    def forward(problem, keep):
        pwl = PiecewiseLinearMap(*map(bare, problem.pwl))
        there = Problem(pwl, *map(bare, problem[1:]))
        return interpreter.submit(triton_scan.forward, there, keep).result()

    def backward(problem, mixed, grad, wanted):
        pwl = PiecewiseLinearMap(*map(bare, problem.pwl))
        there = Problem(pwl, *map(bare, problem[1:]))
        return interpreter.submit(triton_scan.backward, there, mixed, grad, wanted).result()

    return Path("triton", forward, backward)


def draw(
    seed, *, members=1, batch=2, time=4, latent=3, hidden=5, alpha="each bin", drive=True, **to
):
    """What a scan takes, beside the path; weights are small enough for orbits to stay bounded."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0):
        x = scale * torch.randn(members, *shape, generator=g, dtype=torch.float64)
        return x.to(**to).requires_grad_()

    pwl = PiecewiseLinearMap(
        A=normal(latent, scale=0.5),
        W1=normal(latent, hidden, scale=0.5 * hidden**-0.5),
        W2=normal(hidden, latent, scale=0.7 * latent**-0.5),
        h1=normal(latent, scale=0.1),
        h2=normal(hidden, scale=0.3),
    )
    strength = None
    if alpha:
        whole = (members, batch, time, latent)
        shape = [n if own == -1 else 1 for n, own in zip(whole, ALPHAS[alpha], strict=True)]
        strength = torch.rand(shape, generator=g, dtype=torch.float64).to(**to)
    target = normal(batch, time, latent) if alpha else None
    driven = normal(batch, time, latent) if drive else None
    return pwl, normal(batch, latent), time, target, strength, driven


def values_and_gradients(run, pwl, z0, time, target, alpha, drive):
    states = run(pwl, z0, time, target, alpha, drive)
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states)
    leaves = [x for x in (*pwl[:5], z0, target, drive) if x is not None]
    return [states.detach(), *torch.autograd.grad((states * weights).sum(), leaves)]


def assert_close(got, expected, *, values, gradients):
    """Errors relative to the largest entry."""
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        bound = gradients if i else values
        assert (a - b).abs().max() <= bound * b.abs().max().clamp_min(1e-3), i


def assert_parity(path, problem):
    got = values_and_gradients(lambda *a: scan_along(path, *a), *problem)
    expected = values_and_gradients(scan_reference, *problem)
    # The same products in float64, summed in another order.
    assert_close(got, expected, values=1e-10, gradients=1e-10)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**31),
    members=st.integers(1, 2),
    batch=st.integers(1, 2),
    time=st.integers(1, 6),
    latent=st.integers(1, 5),
    hidden=st.integers(1, 9),
    alpha=st.sampled_from([None, *ALPHAS]),
    drive=st.booleans(),
)
def test_triton_and_reference_agree_in_double_precision(interpreted, seed, **sizes):
    assert_parity(interpreted, draw(seed, **sizes))


@pytest.mark.parametrize("alpha", [None, *ALPHAS])
def test_triton_takes_every_form_of_alpha(interpreted, alpha):
    assert_parity(interpreted, draw(0, members=2, alpha=alpha))


@pytest.mark.parametrize(("latent", "hidden"), [(3, 50), (20, 70), (1, 1), (33, 2)])
def test_triton_agrees_where_tiles_are_padded_and_where_one_is_not_enough(
    interpreted, latent, hidden
):
    assert_parity(interpreted, draw(1, time=2, latent=latent, hidden=hidden))


@settings(max_examples=6)
@given(seed=st.integers(0, 2**31), latent=st.integers(1, 4), hidden=st.integers(1, 8))
def test_triton_keeps_the_digits_of_single_precision(interpreted, seed, latent, hidden):
    single = draw(seed, time=6, latent=latent, hidden=hidden, dtype=torch.float32)
    exact = [None if x is None else double(x) for x in single]
    assume(least_activation(*exact) > 1e-5)  # else rounding may switch a unit on or off
    got = values_and_gradients(lambda *a: scan_along(interpreted, *a), *single)
    expected = values_and_gradients(scan_reference, *exact)
    # 6e-8 a product, chains of 6 contracting steps, sums of at most 50 terms.
    assert_close(got, expected, values=1e-5, gradients=1e-4)


def double(x):
    if isinstance(x, PiecewiseLinearMap):
        return PiecewiseLinearMap(*(double(p) for p in x[:5]))
    return x.detach().double().requires_grad_() if isinstance(x, torch.Tensor) else x


def least_activation(pwl, z0, time, target, alpha, drive):
    """Smallest distance of a pre-activation from zero during a forced run."""
    z, smallest = z0, torch.tensor(1.0)
    for t in range(time):
        z = torch.lerp(z, target[:, :, t], alpha.expand(target.shape)[:, :, t])
        u = z @ pwl.W2.mT + pwl.h2.unsqueeze(-2)
        smallest = min(smallest, u.abs().min())
        z = step(pwl, z) + drive[:, :, t]
    return smallest


@pytest.mark.parametrize("wanted", ["A", "W1", "W2", "h1", "h2", "z0", "target", "drive"])
def test_triton_is_right_when_only_one_gradient_is_wanted(interpreted, wanted):
    pwl, z0, time, target, alpha, drive = draw(2, time=3)
    leaves = pwl._asdict() | {"z0": z0, "target": target, "drive": drive}
    (expected,) = torch.autograd.grad(
        scan_reference(pwl, z0, time, target, alpha, drive).square().sum(), [leaves[wanted]]
    )
    for name, leaf in leaves.items():
        if leaf is not None:
            leaf.requires_grad_(name == wanted)
    states = scan_along(interpreted, pwl, z0, time, target, alpha, drive)
    (found,) = torch.autograd.grad(states.square().sum(), [leaves[wanted]])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_tensors_may_lie_in_memory_in_any_order(interpreted):
    pwl, z0, time, target, alpha, drive = draw(3, members=2)
    twisted = PiecewiseLinearMap(*(leaf(p.mT.contiguous().mT) for p in pwl[:5]))
    moved = leaf(target.permute(2, 1, 0, 3).contiguous().permute(2, 1, 0, 3))
    assert not moved.is_contiguous()
    assert_parity(interpreted, (twisted, z0, time, moved, alpha, drive))


def leaf(x):
    return x.detach().requires_grad_()


def test_full_forcing_forgets_the_state_exactly(interpreted):
    pwl, z0, time, target, _, _ = draw(4)
    one = torch.ones((), dtype=torch.float64)
    found = scan_along(interpreted, pwl, z0, time, target, one, None)
    far = scan_along(interpreted, pwl, z0 + 1e9, time, target, one, None)
    assert torch.equal(found, far)


def test_a_nan_in_the_map_reaches_the_states(interpreted):
    pwl, z0, time, target, alpha, drive = draw(5)
    with torch.no_grad():
        pwl.h2[0, 2] = float("nan")
    assert scan_along(interpreted, pwl, z0, time, target, alpha, drive).isnan().all()


def test_no_samples_give_no_states_and_no_gradient(interpreted):
    pwl, z0, time, _, _, _ = draw(6, batch=0, alpha=None, drive=False)
    states = scan_along(interpreted, pwl, z0, time, None, None, None)
    assert states.shape == (1, 0, 4, 3)
    (found,) = torch.autograd.grad(states.sum(), [pwl.W2])
    assert (found == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_trial_of_what_is_right_finds_no_fault(interpreter, dtype):
    arguments = torch.device("cpu"), dtype, 3, 9, True, True
    assert interpreter.submit(triton_trial.find_fault, *arguments).result() == ""


def test_a_map_too_large_for_registers_is_refused():
    pwl, z0, time, *_ = draw(7, latent=65, hidden=300, alpha=None, drive=False)
    with pytest.raises(ConfigError, match=r"65 latents and 300 hidden[\s\S]*backend='auto'"):
        triton_scan.forward(Problem(pwl, z0, time), False)


# ---- what the compiler makes of it

NUMBERS = {"n_steps", "alpha_member", "alpha_sample", "alpha_time", "alpha_latent"}
ABSENT_WHEN_FREE = {"target", "alpha", "drive", "to_target"}
SIZES = [(3, 50, 4), (20, 500, 4), (64, 128, 4), (32, 128, 8)]
"""Latents, hidden units and bytes a number; but for the first the largest of their kind."""


@pytest.fixture
def resource_usage(tmp_path, monkeypatch):
    """A function that compiles a kernel for sm_90; registers and bytes of stack of a thread."""
    if triton.knobs.runtime.interpret:
        pytest.skip("the interpreter is on")
    try:
        tool = triton.knobs.nvidia.cuobjdump.path
        triton.knobs.nvidia.ptxas.path  # noqa: B018
    except RuntimeError:
        pytest.skip("this Triton brings no assembler")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))

    def compile_it(kernel, number, constants, tiles):
        names, options = kernel.arg_names, triton_scan._options(tiles)
        kinds = {n: "constexpr" if n in constants else f"*{number}" for n in names}
        kinds |= {n: "i32" for n in NUMBERS.intersection(names)}
        # Torch aligns its tensors, and Triton compiles for that.
        aligned = {
            (i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if kinds[n][0] == "*"
        }
        source = triton.compiler.ASTSource(kernel, kinds, constants, aligned)
        target = triton.backends.compiler.GPUTarget("cuda", 90, 32)
        binary = tmp_path / "kernel.cubin"
        binary.write_bytes(triton.compile(source, target, options).asm["cubin"])
        report = subprocess.run(
            [tool, "--dump-resource-usage", binary], capture_output=True, text=True, check=True
        ).stdout
        return tuple(map(int, re.search(r"REG:(\d+) STACK:(\d+)", report).groups()))

    return compile_it


@pytest.mark.parametrize("name", ["run_forward", "run_adjoint", "sum_over_time"])
@pytest.mark.parametrize(("latent", "hidden", "itemsize"), SIZES)
def test_no_kernel_for_sm_90_spills_registers(resource_usage, latent, hidden, itemsize, name):
    kernel = getattr(triton_kernels(), name)
    tiles = scan_tiles(latent, hidden, itemsize)
    constants = {"M": latent, "L": hidden, "BM": tiles.latent, "BL": tiles.hidden}
    if name == "sum_over_time":
        tiles = sum_tiles(tiles, itemsize)
        constants["BJ"] = tiles.hidden
    registers, stack = resource_usage(kernel, f"fp{8 * itemsize}", constants, tiles)
    assert registers <= 255
    assert stack == 0


@pytest.mark.parametrize("name", ["run_forward", "run_adjoint"])
def test_kernels_for_a_free_run_without_gradient_compile(resource_usage, name):
    kernel, tiles = getattr(triton_kernels(), name), scan_tiles(3, 50, 4)
    absent = ABSENT_WHEN_FREE.intersection(kernel.arg_names)
    absent |= {"mixed"} if name == "run_forward" else set()
    constants = {"M": 3, "L": 50, "BM": 4, "BL": 64} | dict.fromkeys(absent)
    assert resource_usage(kernel, "fp32", constants, tiles)[1] == 0


def triton_kernels():
    from neurodsr.kernels import triton_kernels

    return triton_kernels
