"""The axis of a distribution cut into cells, with the probability of each by `log_prob`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Distribution, constraints

from neurodsr.testing.conformance.verdict import NotApplicableError

N_PANELS, N_NODES = 128, 8
"""Panels between quantiles of samples, and nodes of the Gauss-Legendre rule on each."""
N_DOUBLINGS = 30
"""Panels beyond, each twice as long as the last, or half as long toward a bound: 10^9 in all."""
N_PILOT = 2**14
"""Samples of each channel that say where cells are needed."""
MOST_COUNTS = 4096
EQUAL = 5
"""So many equal samples of a density are no accident: there is a point of finite probability."""
ROUNDING = 64 * torch.finfo(torch.float64).eps
AT_ONCE = 2**20
"""Numbers whose probability is asked for at a time."""


@dataclass(frozen=True)
class Cells:
    """Cells of the axis of each channel, and their probabilities in each entry.

    Parameters
    ----------
    masses
        Probability of each cell; the first is that of the atom, 0 where there is none.
    edges
        Edges of the other cells, ascending; a cell holds its left edge.
    atom
        A point of finite probability of each channel; not a number where there is none.
    """

    masses: Float[Tensor, "cell *batch channel"]
    edges: Float[Tensor, "edge channel"]
    atom: Float[Tensor, " channel"]

    @property
    def total(self) -> Float[Tensor, "*batch channel"]:
        """Probability of anything at all: 1 for a distribution."""
        return self.masses.sum(0)

    def index(self, x: Float[Tensor, "sample *batch channel"]) -> Int[Tensor, "sample *batch _"]:
        """The cell that each number lies in."""
        inner = self.edges[1:-1].T.contiguous()
        found = torch.searchsorted(inner, x.flatten(0, -2).T.contiguous(), right=True)
        return torch.where(x == self.atom, 0, found.T.reshape(x.shape) + 1)

    def uniform(self, x: Float[Tensor, "sample *batch channel"]) -> Tensor:
        """Numbers that are uniform on (0, 1) if x was drawn from the distribution.

        The probability below the cell of x, and a random part of that of the cell: the
        probability integral transform, exact also for whole numbers.
        """
        share = self.masses / self.total
        below = share.cumsum(0) - share
        index = self.index(x).unsqueeze(0)
        wide = (-1, len(x), *share.shape[1:])
        start, own = (part.unsqueeze(1).expand(wide).gather(0, index)[0] for part in (below, share))
        return start + own * torch.rand(x.shape, dtype=own.dtype)


def cut(p: Distribution) -> Cells:
    """Cells of a distribution of batch shape (*batch, channel), in float64.

    Whole numbers are cells of their own. Cells of a density lie between quantiles of samples,
    pooled over all of a channel, and get longer beyond them; their probabilities are integrals. A
    value that samples of a density repeat has a probability of its own, as that of no event.

    Raises
    ------
    NotApplicableError
        The distribution does not say what values it takes, or takes too many whole numbers.
    """
    try:
        support = p.support
    except (RuntimeError, AttributeError) as error:  # the base class of torch has none
        raise NotApplicableError(f"{type(p).__name__} does not tell its `support`") from error
    low, high = _bounds(support)
    per_channel = max(1, math.prod(p.batch_shape[:-1]))
    pilot = p.sample((max(16, N_PILOT // per_channel),)).double()
    if support.is_discrete:
        return _count_cells(p, pilot, low, high)
    if low == -math.inf and high == math.inf and _is_angle(p, pilot[:16]):
        low, high = -math.pi, math.pi
    return _density_cells(p, pilot, low, high)


def _bounds(support: constraints.Constraint) -> tuple[float, float]:
    """Smallest and largest value that any entry may take."""
    if support is constraints.boolean:
        return 0.0, 1.0
    low = getattr(support, "lower_bound", -math.inf)
    high = getattr(support, "upper_bound", math.inf)
    return float(torch.as_tensor(low).min()), float(torch.as_tensor(high).max())


def _is_angle(p: Distribution, x: Float[Tensor, "sample *batch channel"]) -> bool:
    """Whether a full turn changes nothing, although half a turn does."""
    here = p.log_prob(x)
    half, full = ((p.log_prob(x + turn) - here).abs().max() for turn in (math.pi, 2 * math.pi))
    return bool(full <= 1e-6 * half)


def _count_cells(p: Distribution, pilot: Tensor, low: float, high: float) -> Cells:
    if not math.isfinite(low):
        raise NotApplicableError("its whole numbers have no smallest one to sum from")
    # The tail of counts falls exponentially: four times the largest of 10^4 is far out.
    last = min(high, 4 * pilot.max().item() + 32)
    if last - low > MOST_COUNTS:
        raise NotApplicableError(f"its whole numbers go up to {last:g}, too many to sum over")
    codes = torch.arange(low, last + 1, dtype=pilot.dtype)
    n_channels = p.batch_shape[-1]
    masses = _probabilities(p, codes[:, None].expand(-1, n_channels))
    edges = torch.cat([codes - 0.5, codes[-1:] + 0.5])[:, None].expand(-1, n_channels)
    none = torch.full((n_channels,), torch.nan, dtype=pilot.dtype)
    return Cells(torch.cat([torch.zeros_like(masses[:1]), masses]), edges, none)


def _density_cells(p: Distribution, pilot: Tensor, low: float, high: float) -> Cells:
    atom = _atoms(pilot.flatten(0, -2))
    columns = zip(pilot.flatten(0, -2).T, atom, strict=True)
    edges = torch.stack([_edges(x[x != a].numpy(), low, high) for x, a in columns], dim=1)
    at_atom = _probabilities(p, torch.where(atom.isnan(), pilot[0].flatten(0, -2)[0], atom)[None])
    at_atom = torch.where(atom.isnan(), 0.0, at_atom)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(N_NODES))
    lengths = edges.diff(dim=0)
    # Between edges that hardly differ a node may round to a bound, where a density may be infinite.
    lengths = torch.where(lengths > ROUNDING * edges[1:].abs(), lengths, 0.0)
    x = edges[:-1, None] + lengths[:, None] * (nodes[:, None] + 1) / 2
    density = _probabilities(p, x.flatten(0, 1)).unflatten(0, x.shape[:2])
    means = (density * weights.view(-1, *(1,) * (density.dim() - 2))).sum(1) / 2
    wide = lengths.view(len(lengths), *(1,) * (means.dim() - 2), -1)
    masses = torch.where(wide > 0, means * wide, 0.0)
    return Cells(torch.cat([at_atom, masses]), edges, atom)


def _atoms(x: Float[Tensor, "sample channel"]) -> Float[Tensor, " channel"]:
    """The value that samples of each channel repeat; not a number where they do not."""
    commonest = x.mode(dim=0).values
    return torch.where((x == commonest).sum(0) >= EQUAL, commonest, torch.nan)


def _edges(x: Float[np.ndarray, " sample"], low: float, high: float) -> Float[Tensor, " edge"]:
    """Edges at quantiles of samples, closer in the tails, and on from there to the bounds."""
    if not len(x):  # nothing but the atom was drawn
        x = np.array([0.0, 1.0]) if low == -math.inf else low + np.array([0.5, 1.0])
    even = np.linspace(0, 1, N_PANELS + 1)
    tail = 2.0 ** -np.arange(8, 15)
    inner = np.quantile(x, np.unique([*even, *tail, *(1 - tail)]))
    step = max(inner[-1] - inner[0], 1e-9 * abs(inner[0]), 1e-12) / 64
    down = _toward(float(inner[0]), low, step)
    up = -_toward(-float(inner[-1]), -high, step)
    return torch.from_numpy(np.concatenate([down[::-1], inner, up]))


def _toward(start: float, bound: float, step: float) -> Float[np.ndarray, " edge"]:
    """Edges from a start down to a bound: ever shorter panels, or ever longer ones to infinity."""
    doublings = 2.0 ** np.arange(1, N_DOUBLINGS + 1)
    if math.isfinite(bound):
        return np.append(bound + (start - bound) / doublings, bound)
    return np.append(start - step * (doublings - 1), start - step * (2 * doublings[-1] - 1))


def _probabilities(p: Distribution, x: Float[Tensor, "value channel"]) -> Tensor:
    """Probability or density of values that all entries of a channel share."""
    batch = p.batch_shape
    wide = x.view(len(x), *(1,) * (len(batch) - 1), batch[-1]).expand(-1, *batch)
    pieces = wide.split(max(1, AT_ONCE // math.prod(batch)))
    return torch.cat([p.log_prob(piece).double().exp() for piece in pieces])
