"""One long sequence: steps one after the other, against pieces that are run side by side.

The map has learned a noisy Lorenz orbit; a random one would contract, and pieces would agree at
once. `growth` under forcing, per step, says how fast a piece forgets its start. Gradients are
compared with those of the whole sequence in float64.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from engine_parts.availability import NotAvailableError, absent, native, prepare
from engine_parts.gradient_step import relative_error
from engine_parts.teacher import growth, lorenz_path, trained_map
from engine_parts.timing import Bound, Variant, described, judged, load, ratio, take_turns
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.dispatch import ADJOINT_LANES
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import n_lanes
from neurodsr.kernels.path import Path, Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.shooting import TOLERANCE, shooting, suits_shooting

N_BINS, HIDDEN, TRAINING_STEPS = 9984, 50, 3000
BATCHES, ALPHAS = (1, 4, 16), (0.05, 0.15)
FASTER, ERROR = Bound(">=", 4), Bound("<=", 1e-5)  # of one sequence, at alpha 0.15
PATHS: dict[str, Callable[[], Path]] = {"adjoint": lambda: ADJOINT, "native": native}


class Case(NamedTuple):
    """Targets and what follows them, [batch, time, latent], under a forcing strength."""

    pwl: PiecewiseLinearMap
    target: Tensor
    following: Tensor
    alpha: float

    def double(self) -> Case:
        """The same in float64."""
        pwl = self.pwl.to(torch.float64)
        return Case(pwl, self.target.double(), self.following.double(), self.alpha)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every forcing strength, batch and variant."""
    path = lorenz_path(N_BINS + 1 + 1000 * max(BATCHES), seed=arguments.seed)
    pwl = trained_map(path, hidden=HIDDEN, n_steps=TRAINING_STEPS, seed=arguments.seed)
    for alpha in ALPHAS:
        for batch in BATCHES:
            windows = torch.stack([path[s : s + N_BINS + 1] for s in range(0, 1000 * batch, 1000)])
            case = Case(pwl, windows[:, :-1], windows[:, 1:], alpha)
            yield from _table(case, arguments.rounds)


def _table(case: Case, rounds: int) -> Iterator[dict[str, object]]:
    sequential = {path: partial(_sequential, case, path) for path in PATHS}
    in_pieces = {f"shooting, {path}": partial(_shooting, case, path) for path in PATHS}
    variants, missing = prepare(sequential | in_pieces)
    timings = take_turns(variants, rounds=rounds)
    exact = _gradients(case.double(), ADJOINT).run()
    batch = len(case.target)
    row = {"row": "shooting", "batch": batch, "time": N_BINS, "alpha": case.alpha}
    facts = {"growth": round(growth(case.pwl, case.target[0], case.alpha), 3), "load": load()}
    for name, timing in timings.items():
        line = {**row, "variant": name, "rounds": rounds, **facts, **described(timing)}
        error = relative_error(variants[name].run(), exact)
        line["gradient error"] = float(f"{error:.2g}")
        path = name.removeprefix("shooting, ")
        if path != name:
            bounded = batch == 1 and case.alpha == 0.15 and path == "native"
            gain, cut = ratio(timings[path], timing), relative_error(_cut(case, path), exact)
            line["faster than in sequence"] = judged(gain, FASTER if bounded else None)
            line["error of cutting"] = judged(cut, ERROR if bounded else None)
        yield line
    yield from absent(row, missing)


def _sequential(case: Case, name: str) -> Variant:
    return _gradients(case, PATHS[name]())


def _shooting(case: Case, name: str) -> Variant:
    """The same gradients from pieces that are repeated until their ends meet, by the same path."""
    return _gradients(case, shooting(PATHS[name](), n_chunk=_n_chunk(case, name)))


def _cut(case: Case, name: str) -> tuple[Tensor, ...]:
    """These gradients in float64, with pieces that meet as they do in float32.

    In float32, 10,000 steps in sequence are off by more than what cutting them costs.
    """
    meet = TOLERANCE[torch.float32]
    path = shooting(PATHS[name](), n_chunk=_n_chunk(case, name), tolerance=meet)
    return _gradients(case.double(), path).run()


def _n_chunk(case: Case, name: str) -> int:
    """The length of a piece that the package would choose."""
    target = case.target.unsqueeze(0)
    pwl = PiecewiseLinearMap(*(p.unsqueeze(0) for p in case.pwl[:5]))
    alpha = torch.tensor(case.alpha).expand_as(target)
    problem = Problem(pwl, target[:, :, 0], N_BINS, target, alpha)
    n_chunk = suits_shooting(problem, lanes=_n_lanes(case, name))
    if n_chunk is None:
        raise NotAvailableError("it is not chosen here: nothing would be gained")
    return n_chunk


def _n_lanes(case: Case, name: str) -> int:
    return ADJOINT_LANES if name == "adjoint" else n_lanes(load_library(), case.target)


def _gradients(case: Case, path: Path) -> Variant:
    """A call that gives the gradients of the map, without any choice of another path."""
    leaves = [p.clone().requires_grad_() for p in case.pwl[:5]]
    alpha, target = torch.tensor(case.alpha).to(case.target), case.target

    def run() -> tuple[Tensor, ...]:
        pwl = PiecewiseLinearMap(*leaves)
        z = scan_along(path, pwl, target[:, 0], N_BINS, target, alpha, None)
        return torch.autograd.grad((z - case.following).pow(2).mean(), leaves)

    return Variant(run)
