"""Fused training is the torch training step by step, and resumes bit for bit."""

import json

import pytest
import torch

from neurodsr.errors import DataError, NumericalError, PreemptedError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.trainer import train_steps
from neurodsr.run_config import DynamicsConfig
from neurodsr.seeds import generator
from neurodsr.training import dynamics_stage, fused, jobs
from neurodsr.training.checkpoint import load_checkpoint, save_checkpoint
from neurodsr.training.dynamics_stage import draw_members, dynamics_task, train_members
from neurodsr.training.fused import MemberState, can_fuse, train_fused
from neurodsr.training.jobs import member_jobs
from neurodsr.training.loop import SNAPSHOT_STEPS, StopRequestedError, Watch
from neurodsr.training.state import HISTORY_STEPS

pytestmark = pytest.mark.skipif(load_library() is None, reason="no compiled kernels here")

N_STEPS = 3 * SNAPSHOT_STEPS + 70
CALLS = -(-N_STEPS // HISTORY_STEPS)


def config(**changes):
    small = {"latent_dim": 2, "hidden_dim": 9, "n_steps": N_STEPS, "window": 20, "batch_size": 5}
    return DynamicsConfig(**(small | changes))


def turning(latent, *lengths, dtype=torch.float32):
    """Stretches of a noisy rotation."""
    g = generator(0, "turning")
    phase = torch.arange(latent) + 0.2 * torch.arange(max(lengths))[:, None]
    return [
        (phase[:n].sin() + 0.1 * torch.randn(n, latent, generator=g)).to(dtype) for n in lengths
    ]


def run(c, *, teacher=None, folder=None, watch=None, seed=4, dtype=torch.float32):
    member = draw_members(c, [seed]).to(dtype)
    teacher = teacher or turning(c.latent_dim, 200, 90, dtype=dtype)
    arguments = {"name": "turning", "seed": seed, "alpha": 0.1, "folder": folder}
    return member, train_fused(member, teacher, c, watch=watch or Watch(), **arguments)


def flat(member):
    return torch.cat([p.detach().flatten() for p in member.parameters()])


CASES = {
    "the default": {},
    "a latent dimension without code of its own": {"latent_dim": 11},
    "noise": {"teacher_noise": 0.2},
    "a strong penalty": {"weight_decay": 0.1},
    "an average": {"average": 0.9},
    "more samples than lanes": {"batch_size": 21},
    "alpha from the start": {"alpha_start": None},
    "all together": {"latent_dim": 3, "teacher_noise": 0.1, "average": 0.99, "weight_decay": 0.01},
}


@pytest.mark.parametrize("max_gradient", [1e9, 0.1])  # the second is below every gradient's norm
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_the_torch_training(monkeypatch, case, max_gradient):
    for module in (dynamics_stage, fused):
        monkeypatch.setattr(module, "MAX_GRADIENT", max_gradient)
    c = config(**({"n_steps": 20} | CASES[case]))
    teacher = turning(c.latent_dim, 60, 15, 40, dtype=torch.float64)
    member = draw_members(c, [4]).double()
    task = dynamics_task(member, teacher, c, name="t", seeds=[4], alphas=[0.1])
    fast = fused._task(teacher, c, name="t", seed=4, alpha=0.1)
    numbers, optimizer = MemberState.start(member).numbers, torch.optim.RAdam(member.parameters())
    for k in range(20):
        optimizer.zero_grad()
        loss = task.loss(k)
        loss.backward()
        norm = torch.cat([p.grad.flatten() for p in member.parameters()]).norm()
        assert (norm > max_gradient) == (max_gradient < 1)
        task.clip(list(member.parameters()))
        first, last = c.learning_rate
        optimizer.param_groups[0]["lr"] = first * (last / first) ** (k / 20)
        optimizer.step()
        found = train_steps(numbers, fast.problem, fast.schedule(range(k, k + 1), 1.0), first=k)
        # Some thousand roundings of 1e-16 in another order.
        assert found.item() == pytest.approx(loss.item(), rel=1e-10)
        torch.testing.assert_close(numbers[0], flat(member), rtol=1e-10, atol=1e-10)
    task.module.follow(19)
    task.module.settle()
    torch.testing.assert_close(numbers[3], flat(member), rtol=1e-10, atol=1e-10)


def test_a_whole_training_ends_where_the_torch_training_ends():
    c = config(n_steps=260, average=0.95)
    teacher = turning(2, 200, 90, dtype=torch.float64)
    found, history = run(c, teacher=teacher, dtype=torch.float64)
    expected = draw_members(c, [4]).double()
    same = {"name": "turning", "folder": None, "watch": Watch()}
    expected_history = train_members(expected, teacher, c, seeds=[4], alphas=[0.1], **same)
    # 260 steps, each of which passes on the error before it; 1e-16 grows to some 1e-12.
    torch.testing.assert_close(flat(found), flat(expected), rtol=1e-8, atol=1e-8)
    assert history["step"] == expected_history["step"] == [50, 100, 150, 200, 250]
    assert history["loss"] == pytest.approx(expected_history["loss"], rel=1e-8)


def test_the_loss_falls():
    _, history = run(config(alpha_start=None))
    # To a hundredth if it trained for long, with a noise of 0.1; a half leaves room for any seed.
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_another_seed_gives_another_member():
    assert not torch.equal(flat(run(config())[0]), flat(run(config(), seed=5)[0]))


def test_progress_is_told_at_every_snapshot():
    told = []
    run(config(), watch=Watch(progress=told.append))
    assert told == [SNAPSHOT_STEPS, 2 * SNAPSHOT_STEPS, 3 * SNAPSHOT_STEPS]


def stop_after(n_calls):
    calls = iter(range(n_calls))
    return Watch(stop=lambda: next(calls, None) is None)


@pytest.mark.parametrize("stops", [(0,), (1,), (4,), (5,), (7, 3), (9, 2), (CALLS - 1,)])
def test_a_run_that_was_stopped_ends_in_the_same_bits(tmp_path, stops):
    c = config(average=0.99, teacher_noise=0.1)
    expected, history = run(c)
    for n in stops:
        with pytest.raises(StopRequestedError):
            run(c, folder=tmp_path, watch=stop_after(n))
    resumed, resumed_history = run(c, folder=tmp_path)
    assert torch.equal(flat(resumed), flat(expected))
    assert resumed_history == history


@pytest.mark.parametrize("error", [KeyboardInterrupt, PreemptedError])
def test_an_interrupt_in_the_middle_of_a_call_saves_a_checkpoint_too(tmp_path, monkeypatch, error):
    expected, _ = run(config())
    spoil(monkeypatch, lambda first: first == 250, raises=error("now"))
    with pytest.raises(error):
        run(config(), folder=tmp_path)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path)[0]["step"] == SNAPSHOT_STEPS
    assert torch.equal(flat(run(config(), folder=tmp_path)[0]), flat(expected))


def spoil(monkeypatch, where, *, raises=None):
    """Let calls that begin at such a step raise, or end before their third step; in their midst."""

    def spoilt(numbers, problem, schedule, *, first):
        losses = train_steps(numbers, problem, schedule, first=first)
        if not where(first):
            return losses
        if raises:
            raise raises
        return losses[:2]

    monkeypatch.setattr(fused, "train_steps", spoilt)


def first_times(n, at):
    left = [n]

    def where(first):
        left[0] -= first == at
        return first == at and left[0] >= 0

    return where


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_loss_that_is_not_finite_takes_the_run_back_with_half_the_rate(monkeypatch, times):
    """Bit for bit the run that had this rate from the snapshot on."""
    c = config(n_steps=400)
    spoil(monkeypatch, first_times(times, at=350))
    found, history = run(c)
    monkeypatch.undo()
    task = fused._task(turning(2, 200, 90), c, name="t", seed=4, alpha=0.1)
    numbers = MemberState.start(draw_members(c, [4])).numbers
    train_steps(numbers, task.problem, task.schedule(range(200), 1.0), first=0)
    train_steps(numbers, task.problem, task.schedule(range(200, 400), 0.5**times), first=200)
    assert torch.equal(flat(found), numbers[0])
    assert history["step"] == list(range(50, 401, 50))


def test_a_loss_that_stays_non_finite_is_given_up_with_advice(monkeypatch):
    spoil(monkeypatch, lambda first: first == 250)
    with pytest.raises(
        NumericalError, match=r"turning is not finite at step 252, also after 3 returns[\s\S]*lower"
    ) as error:
        run(config())
    assert error.value.exit_code == 6


def test_a_teacher_that_no_rate_can_learn_is_given_up_with_advice():
    with pytest.raises(NumericalError, match="is not finite at step 0"):
        run(config(), teacher=[turning(2, 90)[0] * 1e30])


@pytest.mark.parametrize("stop", [7, 8, 12])
def test_a_run_that_was_stopped_around_a_return_ends_in_the_same_bits(tmp_path, monkeypatch, stop):
    """At the full rate, and only then, step 352 is not finite."""
    rates = []

    def too_fast(numbers, problem, schedule, *, first):
        rates.append(float(schedule.rate[0]))
        losses = train_steps(numbers, problem, schedule, first=first)
        return losses[:2] if first == 350 and schedule.rate[0] > 6e-4 else losses

    monkeypatch.setattr(fused, "train_steps", too_fast)
    expected, history = run(config())
    with pytest.raises(StopRequestedError):
        run(config(), folder=tmp_path, watch=stop_after(stop))
    resumed, resumed_history = run(config(), folder=tmp_path)
    assert torch.equal(flat(resumed), flat(expected))
    assert resumed_history == history
    assert len(rates) > CALLS  # there was a return


def test_checkpoints_are_saved_while_a_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fused, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    run(config(), folder=tmp_path)
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == [f"step-{k * SNAPSHOT_STEPS:08d}" for k in (2, 3)]


def test_a_checkpoint_holds_the_whole_state(tmp_path):
    state = MemberState.start(draw_members(config(), [4])).slower()
    state = state.after(state.numbers + 1, torch.full((50,), 0.25, dtype=torch.float64))
    facts, tensors = state.capture()
    assert json.loads(json.dumps(facts)) == facts
    save_checkpoint(tmp_path, facts, tensors)
    found, arrays = load_checkpoint(tmp_path)
    again = MemberState(**found, **arrays)
    assert torch.equal(again.numbers, state.numbers)
    assert (again.step, again.rate_scale, again.rollbacks) == (50, 0.5, 1)
    assert again.history == {"step": [50], "loss": [0.25]}


def test_a_window_longer_than_every_stretch_is_refused():
    with pytest.raises(DataError, match=r"dynamics\.window to 14 or less"):
        run(config(), teacher=turning(2, 15))


def test_without_compiled_code_the_torch_training_takes_over(monkeypatch, small_workspace):
    assert can_fuse(small_workspace.config.dynamics)
    assert [j.members for j in member_jobs(small_workspace, [0])] == [(0,), (1,), (2,)]
    monkeypatch.setattr("neurodsr.kernels.trainer.load_library", lambda: None)
    assert not can_fuse(small_workspace.config.dynamics)
    assert [j.members for j in member_jobs(small_workspace, [0])] == [(0, 1), (2,)]


def test_compiled_code_is_for_teachers_on_the_cpu():
    assert can_fuse(config(), [torch.zeros(3, 2)])
    assert not can_fuse(config(), [torch.zeros(3, 2, device="meta")])


@pytest.fixture
def small_workspace(small_recording, small_config, tmp_path):
    return jobs.Workspace(tmp_path, small_config, {}, 0.02)
