"""What is known of each recorded dimension: id, region, position, and levels if it is a label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from neurodsr.errors import DataError


@dataclass(frozen=True)
class Channels:
    """The recorded dimensions of a stream (neurons, ROIs, coordinates, labels), in order.

    Parameters
    ----------
    ids
        The lab's own name of each channel, unique within the stream.
    regions
        Anatomical label of each channel as the file spells it; "" where unknown.
    positions
        Coordinates, shape (channel, 3), µm in the file's own space; unknown ones are masked by
        `located`, never NaN.
    located
        Whether `positions` is known, shape (channel,).
    levels
        The values a categorical channel takes, by code; empty for numbers.
    """

    ids: tuple[str, ...]
    regions: tuple[str, ...] = ()
    positions: Float[np.ndarray, "channel 3"] = field(default=None, compare=False)  # type: ignore[assignment]
    located: np.ndarray = field(default=None, compare=False)  # type: ignore[assignment]
    levels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(set(self.ids)) != n:
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise DataError(
                f"channel ids are not unique: {', '.join(twice[:5])} occur more than once",
                fix="rename or drop the doubled channels in the source file",
            )
        _default(self, "regions", ("",) * n)
        _default(self, "positions", np.zeros((n, 3)))
        _default(self, "located", np.zeros(n, dtype=bool))
        if not len(self.regions) == len(self.positions) == len(self.located) == n:
            raise DataError(
                f"{n} channel ids but {len(self.regions)} regions, {len(self.positions)} "
                f"positions and {len(self.located)} located flags",
                fix="give one entry per channel",
            )
        if self.positions.shape != (n, 3) or not np.isfinite(self.positions).all():
            raise DataError(
                f"positions of shape {self.positions.shape} are not three finite numbers for "
                f"each of {n} channels",
                fix="give x, y, z in µm; where they are unknown, give 0 and leave `located` False",
            )

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, keep: np.ndarray) -> Channels:
        """The channels at the given indices or where the given mask is True, in order."""
        index = np.arange(len(self))[keep]
        return type(self)(
            ids=tuple(self.ids[i] for i in index),
            regions=tuple(self.regions[i] for i in index),
            positions=self.positions[index],
            located=self.located[index],
            levels=self.levels,
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON-like form, exact for float64 positions."""
        return {
            "ids": list(self.ids),
            "regions": list(self.regions),
            "positions": self.positions.tolist(),
            "located": self.located.tolist(),
            "levels": list(self.levels),
        }

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> Channels:
        """Inverse of `to_plain`."""
        n = len(data["ids"])
        return cls(
            ids=tuple(data["ids"]),
            regions=tuple(data["regions"]),
            positions=np.asarray(data["positions"], dtype=float).reshape(n, 3),
            located=np.asarray(data["located"], dtype=bool),
            levels=tuple(data["levels"]),
        )


def _default(channels: Channels, name: str, value: object) -> None:
    if not len(channels.ids):
        object.__setattr__(channels, name, value)
        return
    current = getattr(channels, name)
    if current is None or (isinstance(current, tuple) and not current):
        object.__setattr__(channels, name, value)
