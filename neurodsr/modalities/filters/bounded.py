r"""A trainable positive number that cannot leave its bounds: time constants, delays, gains."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neurodsr.errors import ConfigError


class Bounded(nn.Module):
    r"""A positive parameter, one number or one per channel, that training keeps within bounds.

    $$ v = l\, (h / l)^{\sigma(u)} $$

    with the logistic function $\sigma$, bounds $0 < l < h$ and a free coordinate $u$: a step of
    the optimizer changes $v$ by a fraction of itself, and no step takes it out of $[l, h]$. Bounds
    and coordinate are in the state, so that a saved value does not change when defaults do.

    Parameters
    ----------
    low, high
        Bounds, positive, in the parameter's unit; shape () or (channel,).
    initial
        Value to start from, strictly between them: at a bound the gradient is zero, and the
        parameter would stay there. A fixed value may be a bound.
    fixed
        Whether the value is a constant (a buffer under the same key) rather than trained.

    Raises
    ------
    ConfigError
        The bounds are not positive and ascending, or `initial` does not lie between them.
    """

    def __init__(
        self,
        low: float | Float[Tensor, "..."],
        high: float | Float[Tensor, "..."],
        *,
        initial: float | Float[Tensor, "..."],
        fixed: bool = False,
    ) -> None:
        super().__init__()
        low, high, value = _alike(low, high, initial)
        _check_bounds(low, high)
        _check_initial(low, high, value, fixed=fixed)
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        coordinate = torch.logit((value / low).log() / (high / low).log())
        if fixed:
            self.register_buffer("coordinate", coordinate)
        else:
            self.coordinate = nn.Parameter(coordinate)

    def forward(self) -> Float[Tensor, "..."]:
        """The value, in the parameter's unit; shape () or (channel,)."""
        value = self.low * (self.high / self.low) ** torch.sigmoid(self.coordinate)
        # Rounding may carry the power a digit too far.
        return value.clamp(self.low, self.high)

    @torch.no_grad()
    def set(self, value: Float[Tensor, "..."]) -> None:
        """Take a value; one at or beyond a bound becomes one a hundredth inside it."""
        margin = 0.01 * (self.high / self.low).log()
        inside = value.log().clamp(self.low.log() + margin, self.high.log() - margin)
        self.coordinate.copy_(torch.logit((inside - self.low.log()) / (self.high / self.low).log()))


def _alike(*given: float | Tensor) -> list[Tensor]:
    """Copies of one shape, in the dtype and on the device of the first that is a tensor."""
    like = next((v for v in given if isinstance(v, Tensor)), torch.zeros(()))
    tensors = [torch.as_tensor(v).detach().to(like) for v in given]
    return [v.clone() for v in torch.broadcast_tensors(*tensors)]


def _check_bounds(low: Tensor, high: Tensor) -> None:
    if not bool(((low > 0) & (low < high)).all()):
        raise ConfigError(
            f"bounds from {low.tolist()} to {high.tolist()}",
            fix="give a lower bound above 0 and an upper bound above the lower one",
        )


def _check_initial(low: Tensor, high: Tensor, value: Tensor, *, fixed: bool) -> None:
    inside = (low <= value) & (value <= high) if fixed else (low < value) & (value < high)
    if not bool(inside.all()):
        at = (~inside).nonzero()[0].tolist()
        low, high, value = (float(v[tuple(at)]) for v in (low, high, value))
        place = f" of channel {at[0]}" if at else ""
        raise ConfigError(
            f"the initial value {value:g}{place} does not lie between {low:g} and {high:g}",
            fix="start inside the bounds, widen them, or fix the value within them",
        )
