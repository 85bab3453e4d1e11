import pytest
import torch

from neurodsr.kernels.scan import scan
from neurodsr.modalities.categorical import CategoricalDecoder
from neurodsr.modalities.gaussian import GaussianDecoder
from neurodsr.models.free_run import free_run, simulate_stream, simulate_streams


@pytest.fixture
def turning(linear_map, rotation):
    return linear_map(0.999 * rotation(0.1))


@pytest.mark.parametrize("chunk", [1, 7, 30, 1000])
@pytest.mark.parametrize("keep", [None, 1, 10, 30, 99])
def test_chunks_and_what_is_kept_change_nothing(turning, chunk, keep):
    z0 = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    whole = scan(turning, z0, n_steps=30)
    found = free_run(turning, z0, 30, keep=keep, chunk=chunk)
    # A free run restarted from its own float32 state is the same arithmetic.
    assert torch.equal(found, whole[:, -(keep or 30) :])


def test_a_stack_of_members_runs_from_the_starts_of_each(turning):
    stack = type(turning)(*(None if p is None else torch.stack([p, 0.5 * p]) for p in turning))
    z0 = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(1))
    together = free_run(stack, z0, 12, chunk=5)
    for i in range(2):
        assert torch.allclose(together[i], free_run(stack.member(i), z0[i], 12), atol=1e-6)


def test_process_noise_shakes_each_latent_by_its_own_deviation(turning):
    z0 = torch.zeros(2, 2)
    z = free_run(turning, z0, 400, noise=torch.tensor([0.0, 0.1]), seed=3)
    shaken = z[:, 1:] - free_run(turning, z[:, :-1].flatten(0, 1), 1).reshape(2, 399, 2)
    assert shaken[..., 0].abs().max() < 1e-6
    # The standard error of the sd of n draws is sd / sqrt(2 n); four of them.
    assert shaken[..., 1].std().item() == pytest.approx(0.1, abs=4 * 0.1 / (2 * 798) ** 0.5)
    assert torch.equal(z, free_run(turning, z0, 400, noise=torch.tensor([0.0, 0.1]), seed=3))
    assert not torch.equal(z, free_run(turning, z0, 400, noise=0.1, seed=4))


def test_a_simulated_stream_is_a_pure_function_of_the_seed():
    decoder, z = GaussianDecoder(3, 2), torch.zeros(100, 2)
    drawn = simulate_stream(decoder, z, seed=3)
    assert torch.equal(drawn, simulate_stream(decoder, z, seed=3))
    assert not torch.equal(drawn, simulate_stream(decoder, z, seed=4))


def test_simulating_leaves_the_global_random_state_alone():
    decoder, before = CategoricalDecoder(3, 4, 2), torch.get_rng_state()
    simulate_stream(decoder, torch.zeros(100, 2), seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_simulated_streams_have_the_recordings_own_gaps(direct_config, direct_model):
    mask = torch.ones(40, 2, dtype=bool)
    mask[10:20, 0] = False
    z = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    model = direct_model(direct_config(2), noise=0.1)
    seen = simulate_streams(model, z, {"signal": mask}, seed=0)["signal"]
    assert torch.equal(seen.mask, mask.repeat(3, 1)[:100])
    assert (seen.values[~seen.mask] == 0).all()
    residual = (seen.values - z)[seen.mask]
    # 170 draws or so of sd 0.1: the standard error of the sd is 0.1 / sqrt(2 n).
    assert residual.std().item() == pytest.approx(0.1, abs=3 * 0.1 / (2 * len(residual)) ** 0.5)
