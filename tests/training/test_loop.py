"""The loop finds minima, resumes bit for bit, guards against divergence, and clips fairly."""

import json

import pytest
import torch
from torch import nn

from neurodsr.errors import NumericalError
from neurodsr.seeds import generator
from neurodsr.training import loop
from neurodsr.training.checkpoint import save_checkpoint
from neurodsr.training.loop import (
    SNAPSHOT_STEPS,
    StopRequestedError,
    Task,
    Watch,
    clip_members,
    clip_together,
    run_task,
)
from neurodsr.training.state import HISTORY_STEPS, TrainingState

N_STEPS = 3 * SNAPSHOT_STEPS


class Point(nn.Module):
    def __init__(self, *start):
        super().__init__()
        self.x = nn.Parameter(torch.tensor(start))


def noisy_bowl(point, k):
    """A quadratic with its minimum at 1, shaken by a noise that depends on the step alone."""
    noise = torch.randn(point.x.shape, generator=generator(0, "bowl", k))
    return ((point.x - 1 - 0.1 * noise) ** 2).sum()


def make(loss=noisy_bowl, *, start=(5.0, -3.0), n_steps=N_STEPS, clip=None):
    point = Point(*start)
    clip = clip or clip_together(1e9)
    return point, Task("bowl", point, lambda k: loss(point, k), clip, n_steps, (0.1, 0.001))


def stop_after(n_steps):
    """A watch that asks to stop after so many steps of the loop."""
    calls = iter(range(n_steps))
    return Watch(stop=lambda: next(calls, None) is None)


def test_the_minimum_is_found():
    point, task = make()
    run_task(task, None, Watch())
    # The last learning rates are small, so the noise of sd 0.1 averages out to a hundredth.
    torch.testing.assert_close(point.x.detach(), torch.ones(2), atol=0.03, rtol=0)


def test_the_history_holds_mean_losses_since_the_entry_before():
    _, task = make(lambda p, k: 0 * p.x.sum() + k)
    history = run_task(task, None, Watch())
    assert history["step"] == list(range(HISTORY_STEPS, N_STEPS + 1, HISTORY_STEPS))
    assert history["loss"][0] == sum(range(HISTORY_STEPS)) / HISTORY_STEPS
    assert len(history["loss"]) == len(history["step"])


def test_progress_is_told_at_every_snapshot():
    told = []
    run_task(make()[1], None, Watch(progress=told.append))
    assert told == [SNAPSHOT_STEPS, 2 * SNAPSHOT_STEPS, 3 * SNAPSHOT_STEPS]


@pytest.mark.parametrize("stops", [(0,), (1,), (199,), (200,), (201,), (399, 150), (599,)])
def test_a_run_that_was_stopped_ends_in_the_same_bits(tmp_path, stops):
    expected, task = make()
    history = run_task(task, None, Watch())
    for n in stops:
        with pytest.raises(StopRequestedError):
            run_task(make()[1], tmp_path / "c", stop_after(n))
    resumed, task = make()
    assert run_task(task, tmp_path / "c", Watch()) == history
    assert torch.equal(resumed.x, expected.x)


def test_a_finished_run_is_not_run_again(tmp_path):
    state = TrainingState.start(make()[0], (0.1, 0.001))
    state.step = N_STEPS
    save_checkpoint(tmp_path, *state.capture())
    _, task = make(lambda p, k: pytest.fail("a step was taken"))
    run_task(task, tmp_path, Watch())


def test_the_newest_sound_checkpoint_is_the_one_resumed_from(tmp_path):
    """A damaged one is set aside, and the one before it gives the same result."""
    for n in (250, 250):  # the second starts from step 200
        with pytest.raises(StopRequestedError):
            run_task(make()[1], tmp_path, stop_after(n))
    newest = max(p for p in tmp_path.iterdir() if p.name.startswith("step-"))
    tensors = newest / "tensors.safetensors"
    damaged = bytearray(tensors.read_bytes())
    damaged[-1] ^= 1
    tensors.write_bytes(damaged)
    expected, task = make()
    run_task(task, None, Watch())
    resumed, task = make()
    run_task(task, tmp_path, Watch())
    assert torch.equal(resumed.x, expected.x)
    assert newest.with_suffix(".corrupt").is_dir()


def test_an_interrupt_in_the_middle_of_a_step_saves_a_checkpoint_too(tmp_path):
    def interrupted(point, k):
        if k == 250:
            raise KeyboardInterrupt
        return noisy_bowl(point, k)

    with pytest.raises(KeyboardInterrupt):
        run_task(make(interrupted)[1], tmp_path, Watch())
    expected, task = make()
    run_task(task, None, Watch())
    resumed, task = make()
    run_task(task, tmp_path, Watch())
    assert torch.equal(resumed.x, expected.x)


def spoiled(at, times, value=torch.nan):
    """The bowl, whose loss is not finite the first times it is asked for at a step."""
    left = [times]

    def loss(point, k):
        if k == at and left[0]:
            left[0] -= 1
            return noisy_bowl(point, k) * value
        return noisy_bowl(point, k)

    return loss


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("at", [0, 199, 200, 301])
def test_a_loss_that_is_not_finite_takes_the_run_back_with_half_the_rate(at, value):
    point, task = make(spoiled(at, 2, value), start=(1.5, 0.5))
    history = run_task(task, None, Watch())
    assert history["step"][-1] == N_STEPS
    assert point.x.isfinite().all()
    torch.testing.assert_close(point.x.detach(), torch.ones(2), atol=0.1, rtol=0)


def test_a_gradient_that_is_not_finite_is_caught_though_the_loss_is():
    def sharp(point, k):
        return noisy_bowl(point, k) + (0 * point.x).sqrt().sum()  # d sqrt(y) at 0 is infinite

    with pytest.raises(NumericalError):
        run_task(make(sharp)[1], None, Watch())


def test_a_loss_that_stays_non_finite_is_given_up_with_advice():
    with pytest.raises(NumericalError, match=r"bowl is not finite at step 5[\s\S]*lower the") as e:
        run_task(make(spoiled(5, 99))[1], None, Watch())
    assert e.value.exit_code == 6


def by_hand(scales):
    """The bowl's state after the steps taken one by one, at these scales of the learning rate."""
    point = Point(5.0, -3.0)
    state = TrainingState.start(point, (0.1, 0.001))
    for k, scale in enumerate(scales):
        point.zero_grad()
        loss = noisy_bowl(point, k)
        loss.backward()
        state.rate_scale = scale
        state.apply(loss.item(), N_STEPS)
    return point, state


@pytest.mark.parametrize("times", [1, 2, 3])
def test_after_a_return_the_steps_since_the_snapshot_are_taken_again_at_a_lower_rate(times):
    """Bit for bit the run that had this rate from the snapshot on; no loss is counted twice."""
    n = SNAPSHOT_STEPS
    expected, state = by_hand([1.0] * n + [0.5**times] * (N_STEPS - n))
    point, task = make(spoiled(350, times))
    assert run_task(task, None, Watch()) == state.history
    assert torch.equal(point.x, expected.x)


def too_fast(point, k):
    """Not finite at step 350 where the rate was not halved since 200; of step and state alone."""
    loss = noisy_bowl(point, k)
    return loss * torch.nan if k == 350 and point.x[0] < 1.5 else loss


def slow_start():
    return make(too_fast, start=(30.0, -3.0))


@pytest.mark.parametrize("stop", [349, 351, 352, 500])
def test_a_run_that_was_stopped_around_a_return_ends_in_the_same_bits(tmp_path, stop):
    expected, task = slow_start()
    history = run_task(task, None, Watch())
    with pytest.raises(StopRequestedError):
        run_task(slow_start()[1], tmp_path, stop_after(stop))
    resumed, task = slow_start()
    assert run_task(task, tmp_path, Watch()) == history
    assert torch.equal(resumed.x, expected.x)


def test_checkpoints_are_saved_while_a_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    run_task(make()[1], tmp_path, Watch())
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == [f"step-{k * SNAPSHOT_STEPS:08d}" for k in (2, 3)]


def test_a_state_goes_back_to_exactly_what_was_captured():
    point = Point(5.0, -3.0)
    state = TrainingState.start(point, (0.1, 0.001))
    kept = []
    for k in range(12):
        noisy_bowl(point, k).backward()
        state.apply(1.0 + k, 100)
        point.zero_grad()
        if k == 5:
            kept = state.capture()
    facts, tensors = kept
    assert json.loads(json.dumps(facts)) == facts
    state.restore(facts, tensors)
    again = state.capture()
    assert again[0] == facts
    assert again[1].keys() == tensors.keys()
    assert all(torch.equal(again[1][k], v) for k, v in tensors.items())


def test_gradients_together_are_clipped_to_a_norm():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    for p, g in zip(parameters, ([30.0, 0.0], [40.0]), strict=True):
        p.grad = torch.tensor(g)
    clip_together(5.0)(parameters)
    assert torch.cat([p.grad for p in parameters]).tolist() == pytest.approx([3, 0, 4], rel=1e-5)


def test_each_member_is_clipped_by_its_own_norm():
    """One member that explodes must not slow the others down."""
    parameters = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 1, 1))]
    parameters[0].grad = torch.tensor([[3e4, 0.0], [0.3, 0.0]])
    parameters[1].grad = torch.tensor([[[4e4]], [[0.4]]])
    clip_members(5.0)(parameters)
    assert parameters[0].grad.flatten().tolist() == pytest.approx([3, 0, 0.3, 0], rel=1e-5)
    assert parameters[1].grad.flatten().tolist() == pytest.approx([4, 0.4], rel=1e-5)


def test_clipping_members_together_equals_clipping_each_alone():
    g = torch.Generator().manual_seed(0)
    sizes = torch.tensor([0.01, 1.0, 30.0])
    grads = [sizes.view(3, *[1] * len(s)) * torch.randn(3, *s, generator=g) for s in [(4,), (2, 5)]]
    together = [nn.Parameter(torch.zeros_like(x)) for x in grads]
    for p, x in zip(together, grads, strict=True):
        p.grad = x.clone()
    clip_members(2.0)(together)
    for m in range(3):
        alone = [nn.Parameter(torch.zeros_like(x[m])) for x in grads]
        for p, x in zip(alone, grads, strict=True):
            p.grad = x[m].clone()
        clip_together(2.0)(alone)
        for p, q in zip(together, alone, strict=True):
            torch.testing.assert_close(p.grad[m], q.grad, rtol=1e-6, atol=0)  # order of the sum


def test_a_member_whose_gradient_is_not_finite_does_not_touch_the_others():
    parameter = nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.tensor([[torch.nan, 1.0], [0.3, 0.4]])
    clip_members(5.0)([parameter])
    assert parameter.grad[1].tolist() == pytest.approx([0.3, 0.4])
    assert not parameter.grad[0].isfinite().all()  # still seen by the guard


def test_the_learning_rate_falls_exponentially_from_first_to_last():
    point = Point(0.0)
    state = TrainingState.start(point, (0.1, 0.001))
    rates = []
    for _ in range(100):
        point.x.grad = torch.ones(1)
        state.apply(0.0, 100)
        rates.append(state.optimizer.param_groups[0]["lr"])
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.01)
    assert rates[99] == pytest.approx(0.001, rel=0.05)  # a step before the last rate is reached
