r"""Train a clipped shallow map in compiled code: windows, loss, gradient and optimizer in one call.

The same algorithm in plain torch, slower and for every device, is `training/dynamics_stage.py`; the
two are tested against each other step by step.
"""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import Structure, byref, c_double, c_int64, c_uint64, c_void_p
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import SUFFIX


class TrainingProblem(NamedTuple):
    r"""What a map is trained on, and all of the training that stays the same from step to step.

    $$\mathcal L = \overline{|z_t - \hat z_t|^2} / \sigma^2 + 2 \lambda (|W_1|^2 + |W_2|^2)$$

    Parameters
    ----------
    path
        The teacher $\hat z$; stretches lie one after the other.
    starts
        Bins where a window may begin, all equally likely. `window` + 1 bins from there on belong
        to one stretch.
    window
        Steps of the map along a window.
    hidden_dim
        Hidden units.
    batch_size
        Windows a step.
    variance
        The $\sigma^2$ of the loss.
    weight_decay
        The $\lambda$ of the loss.
    max_gradient
        Norm to which a gradient is clipped.
    noise
        Sd of the noise on the forcing signal in each latent; absent for none.
    seed
        Of windows and noise.
    """

    path: Float[Tensor, "bin latent"]
    starts: Int[Tensor, " start"]
    window: int
    hidden_dim: int
    batch_size: int
    variance: float
    weight_decay: float
    max_gradient: float
    noise: Float[Tensor, " latent"] | None
    seed: int

    @property
    def n_parameters(self) -> int:
        """Numbers that describe a member: a, W1, W2, h1 and h2, one after the other."""
        latent = self.path.shape[1]
        return 2 * latent + 2 * latent * self.hidden_dim + self.hidden_dim


class Schedule(NamedTuple):
    """What changes from step to step, in float64.

    Parameters
    ----------
    alpha
        Forcing strength.
    rate
        Learning rate.
    keep
        Weight of the parameters' average before the step; the rest is that of the new parameters.
    """

    alpha: Float[Tensor, " step"]
    rate: Float[Tensor, " step"]
    keep: Float[Tensor, " step"]


class Arguments(Structure):
    """The C `Training`."""

    _fields_ = (
        *((n, c_int64) for n in ("latent", "hidden", "window", "batch", "n_starts")),
        *((n, c_int64) for n in ("first", "n_steps")),
        ("seed", c_uint64),
        *((n, c_double) for n in ("variance", "weight_decay", "max_gradient")),
        *((n, c_void_p) for n in ("path", "starts", "noise", "alpha", "rate", "keep")),
        *((n, c_void_p) for n in ("numbers", "losses")),
    )


def can_train(*tensors: Tensor) -> bool:
    """Whether there is compiled code for tensors of this kind, on the device where they lie."""
    fits = all(x.device.type == "cpu" and x.dtype in SUFFIX for x in tensors)
    return fits and load_library() is not None


def train_steps(
    numbers: Float[Tensor, "4 parameter"],
    problem: TrainingProblem,
    schedule: Schedule,
    *,
    first: int,
) -> Float[Tensor, " taken"]:
    """Take the steps of a schedule, in place, and give their losses.

    Parameters
    ----------
    numbers
        Parameters (`TrainingProblem.n_parameters` says in which order), RAdam's two moments of
        each, and the running average of each.
    first
        Number of the first step in the whole training, from 0 on.

    Returns
    -------
    Loss before each step that was taken, float64. Fewer than asked for mean that the next loss or
    gradient is not finite; the numbers are then those before that step.

    Raises
    ------
    ConfigError
        Sizes do not fit together, or a window leaves the path.
    ResourceError
        Memory ran out.
    """
    _check(numbers, problem, schedule)
    losses = torch.empty(len(schedule.alpha), dtype=torch.float64)
    path, starts = problem.path.contiguous(), problem.starts.to(torch.int64).contiguous()
    noise = None if problem.noise is None else problem.noise.contiguous()
    schedule = Schedule(*(s.contiguous() for s in schedule))
    arguments = Arguments(
        *(path.shape[1], problem.hidden_dim, problem.window, problem.batch_size, len(starts)),
        *(first, len(losses), problem.seed),
        *(problem.variance, problem.weight_decay, problem.max_gradient),
        *(path.data_ptr(), starts.data_ptr()),
        None if noise is None else noise.data_ptr(),
        *(s.data_ptr() for s in schedule),
        *(numbers.data_ptr(), losses.data_ptr()),
    )
    call = getattr(load_library().functions, f"neurodsr_train_{SUFFIX[path.dtype]}")
    call.restype = c_int64
    taken = call(byref(arguments))
    if taken < 0:
        raise ResourceError(
            f"no memory for windows of {problem.window} bins and {problem.hidden_dim} hidden units",
            fix="use a shorter dynamics.window, or fewer --workers",
        )
    return losses[:taken]


def _check(numbers: Tensor, problem: TrainingProblem, schedule: Schedule) -> None:
    """Compiled code trusts its arguments, so nothing wrong may reach it."""
    for what in (*_wrong_numbers(numbers, problem, schedule), *_wrong_problem(problem)):
        raise ConfigError(what, where="train_steps", fix="see TrainingProblem and Schedule")


def _wrong_numbers(numbers: Tensor, problem: TrainingProblem, schedule: Schedule) -> Iterator[str]:
    path, noise, expected = problem.path, problem.noise, (4, problem.n_parameters)
    if numbers.shape != expected or not numbers.is_contiguous():
        yield f"numbers have shape {tuple(numbers.shape)}, expected {expected}, contiguous"
    if path.dtype not in SUFFIX or numbers.dtype != path.dtype:
        yield f"path is {path.dtype}, numbers are {numbers.dtype}"
    if noise is not None and (noise.shape, noise.dtype) != (path.shape[1:], path.dtype):
        yield f"noise is {tuple(noise.shape)}, {noise.dtype}, expected one {path.dtype} a latent"
    lengths = [tuple(s.shape) for s in schedule]
    if len(set(lengths)) > 1 or any(s.dtype != torch.float64 for s in schedule):
        yield f"the schedule has lengths {lengths} of {[s.dtype for s in schedule]}"
    tensors = (numbers, path, problem.starts, *schedule, *([] if noise is None else [noise]))
    if devices := {str(x.device) for x in tensors} - {"cpu"}:
        yield f"tensors lie on {', '.join(sorted(devices))}, not on the CPU"


def _wrong_problem(problem: TrainingProblem) -> Iterator[str]:
    sizes = {"latent_dim": problem.path.shape[1], **problem._asdict()}
    for name in ("latent_dim", "hidden_dim", "window", "batch_size"):
        if sizes[name] < 1:
            yield f"{name} is {sizes[name]}"
    starts, last = problem.starts, len(problem.path) - problem.window - 1
    if not 0 < len(starts) < 2**32:
        yield f"{len(starts)} windows to choose from"
    elif starts.min() < 0 or starts.max() > last:
        yield (
            f"windows begin in bins {int(starts.min())} to {int(starts.max())}; in a path of "
            f"{len(problem.path)} bins those of {problem.window} steps may in 0 to {last}"
        )
