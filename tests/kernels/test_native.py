"""The compiled scan: every build, both precisions, whatever tensors come, and no library at all."""

import shutil

import pytest
import torch
from torch import Tensor

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels import dispatch, library
from neurodsr.kernels.library import FOLDER, INTERFACE, find_library, load_library
from neurodsr.kernels.native import native_path, path_of
from neurodsr.kernels.path import scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan, scan_reference

ALPHA = torch.tensor(0.15, dtype=torch.float64)
BUILDS = library.BUILDS.get(torch.backends.cpu.get_cpu_capability(), ("portable",))


def draw(seed, *, members=1, batch, time, latent, hidden, dtype=torch.float64):
    """A map and what it runs on; W1 and W2 shrink with their size, so that orbits stay bounded."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, scale):
        return (scale * torch.randn(members, *shape, generator=g, dtype=dtype)).requires_grad_()

    pwl = PiecewiseLinearMap(
        A=normal(latent, scale=0.5),
        W1=normal(latent, hidden, scale=0.5 / hidden**0.5),
        W2=normal(hidden, latent, scale=0.7 / latent**0.5),
        h1=normal(latent, scale=0.1),
        h2=normal(hidden, scale=0.3),
    )
    return pwl, normal(batch, time, latent, scale=1.0), normal(batch, time, latent, scale=0.1)


def values_and_gradients(run, pwl, target, drive):
    states = run(pwl, target[:, :, 0], target.shape[2], target, ALPHA.to(target), drive)
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states)
    wanted = [*pwl[:5], target, drive]
    return [states.detach(), *torch.autograd.grad((states * weights).sum(), wanted)]


SIZES = [
    {"batch": 1, "time": 70, "latent": 1, "hidden": 1},
    {"batch": 16, "time": 33, "latent": 3, "hidden": 50},
    {"batch": 17, "time": 40, "latent": 3, "hidden": 7, "members": 3},
    {"batch": 40, "time": 65, "latent": 8, "hidden": 21},
    {"batch": 5, "time": 31, "latent": 7, "hidden": 16, "members": 2},
    {"batch": 48, "time": 20, "latent": 20, "hidden": 90},
]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("build", BUILDS)
def test_every_build_agrees_with_the_reference_in_double_precision(build, sizes):
    found, _ = find_library(FOLDER, (build,))
    problem = draw(0, **sizes)
    expected = values_and_gradients(scan_reference, *problem)
    got = values_and_gradients(lambda *a: scan_along(path_of(found), *a), *problem)
    for a, b in zip(got, expected, strict=True):
        # Sums of some thousand products in another order: relative to the largest entry.
        assert (a - b).abs().max() <= 1e-10 * b.abs().max().clamp_min(1e-6)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("build", BUILDS)
def test_every_build_agrees_with_the_reference_in_single_precision(build, sizes):
    found, _ = find_library(FOLDER, (build,))
    problem = draw(0, **sizes)
    expected = values_and_gradients(scan_reference, *problem)
    single = [
        PiecewiseLinearMap(*(p.float() for p in problem[0][:5])),
        *(x.float() for x in problem[1:]),
    ]
    single = [PiecewiseLinearMap(*map(leaf, single[0][:5])), *map(leaf, single[1:])]
    got = values_and_gradients(lambda *a: scan_along(path_of(found), *a), *single)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        # A unit within rounding of 0 may switch; with these few steps that moves gradients little.
        assert (a - b).abs().max() <= (1e-4 if i else 1e-5) * b.abs().max().clamp_min(1e-3)


def leaf(x: Tensor | None):
    return None if x is None else x.detach().requires_grad_()


def test_tensors_may_lie_in_memory_in_any_order():
    pwl, target, _ = draw(2, batch=6, time=9, latent=3, hidden=5)
    scrambled = target.detach().permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert not scrambled.is_contiguous()
    alpha = torch.rand(9, 6, dtype=torch.float64).T[None, :, :, None]
    arguments = {"target": target, "alpha": alpha}
    expected = scan(pwl, target[:, :, 0], **arguments, backend="native")
    found = scan(pwl, scrambled[:, :, 0], target=scrambled, alpha=alpha, backend="native")
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_several_graphs_may_be_alive_at_once():
    problems = [draw(i, batch=4, time=12, latent=3, hidden=6) for i in range(3)]
    alone = [values_and_gradients(run_native, *p)[1:] for p in problems]
    states = [run_native(p[0], p[1][:, :, 0], 12, p[1], ALPHA, p[2]) for p in problems]
    for problem, run, expected in reversed(list(zip(problems, states, alone, strict=True))):
        weights = torch.randn(run.shape, generator=torch.Generator().manual_seed(1)).to(run)
        wanted = [*problem[0][:5], *problem[1:]]
        found = torch.autograd.grad((run * weights).sum(), wanted)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def run_native(*arguments):
    return scan_along(native_path(), *arguments)


def test_the_same_call_gives_the_same_bits():
    problem = draw(5, batch=20, time=40, latent=5, hidden=30, dtype=torch.float32)
    first, second = (values_and_gradients(run_native, *problem) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("broken", ["A", "W1", "W2", "h1", "h2"])
def test_a_map_with_nan_gives_nan_as_the_reference_does(broken):
    pwl, target, _ = draw(3, batch=2, time=4, latent=3, hidden=4)
    sick = getattr(pwl, broken).detach().clone()
    sick[..., 0] = torch.nan
    pwl = pwl._replace(**{broken: sick})
    expected = scan(pwl, target[:, :, 0].detach(), n_steps=4, backend="reference")
    found = scan(pwl, target[:, :, 0].detach(), n_steps=4, backend="native")
    assert torch.equal(found.isnan(), expected.isnan())
    assert found.isnan().any()


@pytest.mark.parametrize("latent", [3, 7])
def test_a_map_without_hidden_units_is_linear(latent):
    problem = draw(10, batch=3, time=5, latent=latent, hidden=1)
    pwl = PiecewiseLinearMap(*(leaf(p) for p in problem[0][:5]))
    empty = pwl._replace(W1=leaf(pwl.W1[..., :0]), W2=leaf(pwl.W2[:, :0]), h2=leaf(pwl.h2[:, :0]))
    states = run_native(empty, problem[1][:, :, 0], 5, problem[1], ALPHA, None)
    expected = scan_reference(empty, problem[1][:, :, 0], 5, problem[1], ALPHA, None)
    torch.testing.assert_close(states, expected, rtol=1e-12, atol=1e-12)
    wanted = [empty.A, empty.h1]
    for a, b in zip(
        torch.autograd.grad(states.sum(), wanted),
        torch.autograd.grad(expected.sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["adjoint", "native"])
def test_a_gradient_of_a_gradient_is_refused_rather_than_wrong(backend):
    pwl, target, _ = draw(11, batch=2, time=3, latent=3, hidden=4)
    states = scan(pwl, target[:, :, 0], n_steps=3, backend=backend)
    (first,) = torch.autograd.grad(states.pow(2).sum(), [target], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (first.pow(2).sum() + states.sum()).backward()


def test_no_samples_are_no_states_and_no_gradient():
    pwl, target, _ = draw(4, batch=0, time=6, latent=3, hidden=4)
    states = scan(pwl, target[:, :, 0], target=target, alpha=0.5, backend="native")
    assert states.shape == (1, 0, 6, 3)
    states.sum().backward()
    assert all((p.grad == 0).all() for p in pwl[:5])


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("name", ["target", "drive"])
def test_mixed_precisions_are_refused_with_the_conversion(name):
    pwl, target, _ = draw(6, batch=2, time=3, latent=3, hidden=4)
    given = {"target": target, "alpha": 0.5, "drive": target} | {name: target.float()}
    with pytest.raises(ConfigError, match=rf"convert with {name}\.to\(z0\)"):
        scan(pwl, target[:, :, 0], **given)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("name", "shape"),
    [("A", (1, 2)), ("W1", (1, 3, 5)), ("W2", (1, 4, 2)), ("h2", (1, 3)), ("h1", (2, 3))],
)
def test_a_map_whose_tensors_do_not_belong_together_is_refused(name, shape):
    # Compiled code trusts the shapes: what is let through here would read foreign memory.
    pwl, target, _ = draw(8, batch=2, time=3, latent=3, hidden=4)
    pwl = pwl._replace(**{name: torch.zeros(shape, dtype=torch.float64)})
    with pytest.raises(ConfigError, match=r"give A and h1 as|start from states"):
        scan(pwl, target[:, :, 0], target=target, alpha=0.5, backend="native")


def test_a_stack_of_maps_needs_a_start_for_each():
    pwl, target, _ = draw(9, members=3, batch=2, time=3, latent=3, hidden=4)
    with pytest.raises(ConfigError, match=r"z0 \[\*member, start, latent\]"):
        scan(pwl, target[:2, :, 0], n_steps=3, backend="native")


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_where_there_is_a_compiler_the_installation_built_every_library():
    for build in BUILDS:
        found, problems = find_library(FOLDER, (build,))
        assert found is not None, problems
        assert found.build == build


def test_without_a_library_the_slow_path_runs_and_the_log_says_so(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    monkeypatch.setattr(dispatch, "native_path", lambda: None)
    assert load_library.__wrapped__() is None
    assert "install GCC (12 or later) or clang, then neurodsr again" in caplog.text
    pwl, target, _ = draw(7, batch=2, time=3, latent=3, hidden=4)
    scan(pwl, target[:, :, 0], target=target, alpha=0.5)
    with pytest.raises(ResourceError, match="install GCC 12 or clang"):
        scan(pwl, target[:, :, 0], target=target, alpha=0.5, backend="native")


def test_a_file_that_is_no_library_is_passed_over(tmp_path):
    (tmp_path / "_engine_portable.so").write_bytes(b"not a library")
    found, problems = find_library(tmp_path, ("portable",))
    assert found is None
    assert "_engine_portable.so cannot be loaded" in problems[0]


def test_a_library_of_another_interface_is_passed_over(tmp_path, monkeypatch):
    (built,) = FOLDER.glob("_engine_portable.*so")
    (tmp_path / "_engine_portable.so").write_bytes(built.read_bytes())
    monkeypatch.setattr(library, "INTERFACE", INTERFACE + 1)
    found, problems = find_library(tmp_path, ("portable",))
    assert found is None
    assert problems == [
        f"_engine_portable.so has interface {INTERFACE}, this neurodsr needs {INTERFACE + 1}"
    ]
