"""Devices by name, and the path that suits a problem on one of them."""

import pytest
import torch

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels import devices
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.cuda_graph import CUDA_GRAPH
from neurodsr.kernels.devices import (
    Tiles,
    cuda_path_name,
    fits_triton,
    path_for,
    pick_device,
    scan_tiles,
    sum_tiles,
    triton_obstacle,
)
from neurodsr.kernels.path import Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference
from neurodsr.kernels.triton_scan import TRITON

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: ("cuda:0 (Big)", "cuda:1 (Small)"))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: ())


# ---- by name


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", "cuda:0"), ("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")],
)
def test_a_name_gives_its_device(name, expected):
    assert pick_device(name) == torch.device(expected)


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_the_cpu_where_there_is_nothing_else():
    assert pick_device() == torch.device("cpu")
    assert cuda_path_name() == ""


@pytest.mark.usefixtures("two_gpus")
def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ResourceError, match=r"'cuda:2'[\s\S]*cpu, cuda:0 \(Big\), cuda:1 \(Small"):
        pick_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_is_refused_where_there_is_none():
    with pytest.raises(ResourceError, match=r"choose auto or one of .*: cpu$"):
        pick_device("cuda")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["gpu", "CUDA", "cuda:", "cuda:-1", "cuda:0 ", "1", ""])
def test_what_is_no_name_of_a_device_is_refused_with_the_names(name):
    with pytest.raises(ConfigError, match=r"expected auto, cpu, cuda[\s\S]*cuda:1 \(Small\)"):
        pick_device(name)


# ---- what fits


@pytest.mark.parametrize(
    ("latent", "hidden", "itemsize", "expected"),
    [
        (3, 50, 4, Tiles(4, 64, 1)),
        (3, 50, 8, Tiles(4, 64, 1)),
        (10, 250, 4, Tiles(16, 256, 8)),
        (20, 500, 4, Tiles(32, 512, 8)),
        (64, 128, 4, Tiles(64, 128, 8)),
        (1, 1, 4, Tiles(2, 2, 1)),
        (20, 513, 4, None),
        (20, 500, 8, None),
        (64, 512, 4, None),
        (100, 1000, 4, None),
        (300, 2, 4, None),
    ],
)
def test_tiles_and_warps_of_known_sizes(latent, hidden, itemsize, expected):
    assert scan_tiles(latent, hidden, itemsize) == expected


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("latent", [1, 3, 20, 32, 64, 200, 256])
@pytest.mark.parametrize("hidden", [1, 17, 128, 500, 4096])
def test_a_thread_never_holds_more_than_half_its_registers_in_weights(latent, hidden, itemsize):
    tiles = scan_tiles(latent, hidden, itemsize)
    if tiles is None:
        return
    words, part = itemsize // 4, sum_tiles(tiles, itemsize)
    assert 2 * tiles.latent * tiles.hidden * words <= 128 * 32 * tiles.warps
    assert 4 * part.latent * part.hidden * words <= 128 * 32 * part.warps
    assert part.latent == tiles.latent >= latent
    assert tiles.hidden >= part.hidden
    assert tiles.hidden % part.hidden == 0


def problem(*, latent=3, hidden=5, **to):
    g = torch.Generator().manual_seed(0)

    def normal(*shape, scale=1.0):
        return (scale * torch.randn(2, *shape, generator=g, dtype=torch.float64)).to(**to)

    pwl = PiecewiseLinearMap(
        A=normal(latent, scale=0.5),
        W1=normal(latent, hidden, scale=0.5 * hidden**-0.5),
        W2=normal(hidden, latent, scale=0.7 * latent**-0.5),
        h1=normal(latent, scale=0.1),
        h2=normal(hidden, scale=0.3),
    )
    target = normal(4, 30, latent)
    alpha = torch.rand(30, 1, generator=g).to(target).expand(target.shape)
    return Problem(pwl, normal(4, latent), 30, target, alpha, normal(4, 30, latent))


def test_on_the_cpu_plain_torch_remains():
    assert path_for(problem()) is ADJOINT
    assert not fits_triton(problem())
    assert triton_obstacle(problem()) in {
        "Triton is not installed",
        "Triton has no code for cpu",
    }


@pytest.mark.usefixtures("two_gpus")
def test_without_triton_a_gpu_has_graphs(monkeypatch):
    devices._no_triton_on.cache_clear()
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert cuda_path_name() == "cuda-graph (Triton is not installed)"
    devices._no_triton_on.cache_clear()


@pytest.fixture
def triton_everywhere(monkeypatch):
    """Whatever the device: what is left are the reasons that lie in the problem."""
    monkeypatch.setattr(devices, "_no_triton_on", lambda device: "")


@pytest.mark.usefixtures("triton_everywhere")
@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        (problem(latent=64, hidden=512), "64 latents and 512 hidden units do not fit"),
        (problem(dtype=torch.bfloat16), "float32 or float64 and not torch.bfloat16"),
        (problem()._replace(z0=torch.zeros(2, 4, 3)), "torch.float32 on cpu, torch.float64"),
    ],
)
def test_a_problem_that_triton_cannot_compute_has_a_reason(unfit, why):
    assert why in triton_obstacle(unfit)
    assert not fits_triton(unfit)


@pytest.mark.usefixtures("triton_everywhere")
def test_a_fault_on_this_device_is_the_reason(monkeypatch):
    from neurodsr.kernels import triton_trial

    monkeypatch.setattr(triton_trial, "find_fault", lambda *size: "its kernels do not run")
    assert triton_obstacle(problem()) == "its kernels do not run"


# ---- on real hardware


def values_and_gradients(run, given):
    pwl, z0, time, target, alpha, drive = given
    leaves = [x.detach().requires_grad_() for x in (*pwl[:5], z0, target, drive)]
    pwl = PiecewiseLinearMap(*leaves[:5])
    states = run(pwl, leaves[5], time, leaves[6], alpha, leaves[7])
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states)
    found = [states.detach(), *torch.autograd.grad((states * weights).sum(), leaves)]
    return [x.double().cpu() for x in found]


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("path", [ADJOINT, CUDA_GRAPH, TRITON], ids=lambda path: path.name)
@pytest.mark.parametrize(("latent", "hidden"), [(1, 1), (3, 50), (20, 250), (33, 60)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_path_agrees_on_a_gpu_with_the_reference(path, latent, hidden, dtype):
    # 20 x 250 in float64 is the one that does not fit into registers.
    if path is TRITON and scan_tiles(latent, hidden, dtype.itemsize) is None:
        pytest.skip("too large for this path")
    sizes = {"latent": latent, "hidden": hidden}
    expected = values_and_gradients(scan_reference, problem(**sizes))
    there = problem(**sizes, dtype=dtype, device="cuda")
    got = values_and_gradients(lambda *a: scan_along(path, *a), there)
    # In single precision a unit within rounding of 0 may switch, which moves a gradient a little.
    bounds = (1e-5, 1e-3) if dtype == torch.float32 else (1e-10, 1e-10)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert (a - b).abs().max() <= bounds[min(i, 1)] * b.abs().max()


@pytest.mark.gpu
@needs_cuda
def test_on_a_gpu_small_maps_go_to_triton_and_large_ones_to_graphs():
    assert triton_obstacle(problem(device="cuda")) == ""
    assert path_for(problem(device="cuda")) is TRITON
    assert path_for(problem(latent=64, hidden=512, device="cuda")) is CUDA_GRAPH
