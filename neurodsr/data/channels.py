"""What is known of each recorded dimension: id, region, position, and levels if it is a label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from neurodsr.errors import DataError

PER_CHANNEL = (
    "regions", "raw_regions", "position_units", "spaces", "hemispheres", "cell_types",
    "anatomy_sources", "sessions",
)  # fmt: skip
"""Fields of `Channels` that hold one text a channel."""


@dataclass(frozen=True)
class Channels:
    """The recorded dimensions of a stream (neurons, ROIs, coordinates, labels), in order.

    Parameters
    ----------
    ids
        The lab's own name of each channel, unique within the stream.
    regions
        Anatomical label of each channel; "" where unknown.
    positions
        Coordinates, shape (channel, 3), in the unit and space named below; unknown ones are
        masked by `located`, never NaN.
    located
        Whether `positions` is known, shape (channel,).
    levels
        The values a categorical channel takes, by code; empty for numbers.
    raw_regions
        What the file says of each channel's place, word for word; default: `regions`.
    position_units
        Unit of each position as declared: "um", "mm", "m", "voxel", "pixel" or "unknown".
    spaces
        Coordinate space of each position as declared, such as "AllenCCFv3", or "unknown".
    hemispheres
        "left", "right" or "" where unknown.
    cell_types
        What the file says of each cell, word for word; "" where unknown.
    anatomy_sources
        Which object of the file the place was read from, such as "electrodes"; "" for none.
    sessions
        Session that each channel belongs to, where a recording has several; else "".
    """

    ids: tuple[str, ...]
    regions: tuple[str, ...] = ()
    positions: Float[np.ndarray, "channel 3"] = field(default=None, compare=False)  # type: ignore[assignment]
    located: np.ndarray = field(default=None, compare=False)  # type: ignore[assignment]
    levels: tuple[str, ...] = ()
    raw_regions: tuple[str, ...] = ()
    position_units: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    hemispheres: tuple[str, ...] = ()
    cell_types: tuple[str, ...] = ()
    anatomy_sources: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()

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
        _default(self, "raw_regions", self.regions)
        for name in ("position_units", "spaces"):
            _default(self, name, ("unknown",) * n)
        for name in ("hemispheres", "cell_types", "anatomy_sources", "sessions"):
            _default(self, name, ("",) * n)
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
                fix="give x, y, z; where they are unknown, give 0 and leave `located` False",
            )
        for name in PER_CHANNEL:
            if len(getattr(self, name)) != n:
                raise DataError(
                    f"{n} channel ids but {len(getattr(self, name))} {name}",
                    fix="give one entry per channel",
                )

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, keep: np.ndarray) -> Channels:
        """The channels at the given indices or where the given mask is True, in order."""
        index = np.arange(len(self))[keep]
        return type(self)(
            ids=tuple(self.ids[i] for i in index),
            positions=self.positions[index],
            located=self.located[index],
            levels=self.levels,
            **{name: tuple(getattr(self, name)[i] for i in index) for name in PER_CHANNEL},
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON-like form, exact for float64 positions."""
        return {
            "ids": list(self.ids),
            "positions": self.positions.tolist(),
            "located": self.located.tolist(),
            "levels": list(self.levels),
            **{name: list(getattr(self, name)) for name in PER_CHANNEL},
        }

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> Channels:
        """Inverse of `to_plain`; what an older neurodsr did not write takes its default."""
        n = len(data["ids"])
        return cls(
            ids=tuple(data["ids"]),
            positions=np.asarray(data["positions"], dtype=float).reshape(n, 3),
            located=np.asarray(data["located"], dtype=bool),
            levels=tuple(data["levels"]),
            **{name: tuple(data.get(name, ())) for name in PER_CHANNEL},
        )


def _default(channels: Channels, name: str, value: object) -> None:
    if not len(channels.ids):
        object.__setattr__(channels, name, value)
        return
    current = getattr(channels, name)
    if current is None or (isinstance(current, tuple) and not current):
        object.__setattr__(channels, name, value)
