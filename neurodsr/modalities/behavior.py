"""Behavior: continuous signals with a Gaussian observation model, or labels with a softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality

if TYPE_CHECKING:
    import torch
    from jaxtyping import Bool, Float
    from torch import Tensor

    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source

MAX_LEVELS = 64


class Behavior(Modality):
    """A continuous signal such as position, or a label such as choice, put on the grid."""

    kind: Literal["behavior"] = Field("behavior", description="Behavior, continuous or labels.")
    observation: Literal["gaussian", "categorical"] = Field(
        "gaussian", description="Continuous signal (gaussian) or labels (categorical)."
    )
    max_gap: float | None = Field(
        None,
        gt=0,
        description="Longest gap between samples that is interpolated over, s; longer ones are "
        "masked. Default: three times the median sample interval.",
    )

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Average fast signals within bins, interpolate slow ones; labels hold per bin or trial.

        Raises
        ------
        DataError
            Nothing is observed on the grid, or a label has too few or too many levels.
        """
        where = f"{source.path}:/{self.path}"
        stream = (self._load_signal if self.observation == "gaussian" else self._load_labels)(
            source, grid, where
        )
        if not stream.mask.any():
            raise DataError(
                f"nothing is observed between {grid.start:g} s and {grid.stop:g} s",
                where=where,
                fix="check grid.start and grid.stop against what `neurodsr inspect` prints",
            )
        return stream

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """A linear Gaussian, or a softmax over the levels."""
        if self.observation == "categorical":
            from neurodsr.modalities.categorical import CategoricalDecoder

            return CategoricalDecoder(len(channels), len(channels.levels), latent_dim)
        from neurodsr.modalities.gaussian import GaussianDecoder

        return GaussianDecoder(len(channels), latent_dim)

    def features(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """The signal itself, or one indicator per level."""
        if self.observation == "gaussian":
            return x
        from torch.nn.functional import one_hot

        return one_hot(x.long(), len(channels.levels)).flatten(-2).to(x.dtype)

    def n_features(self, channels: Channels) -> int:
        """One per channel, or one per channel and level."""
        return len(channels) * (1 if self.observation == "gaussian" else len(channels.levels))

    def score(
        self,
        predicted: torch.distributions.Distribution,
        x: Float[Tensor, "*batch time channel"],
        mask: Bool[Tensor, "*batch time channel"],
        null: torch.distributions.Distribution,
    ) -> dict[str, float]:
        """Explained variance of a signal, or accuracy of a label."""
        scores = super().score(predicted, x, mask, null)
        if self.observation == "categorical":
            n = mask.sum().clamp_min(1)
            scores["accuracy"] = (((predicted.logits.argmax(-1) == x) & mask).sum() / n).item()
            return scores
        mean = (x * mask).sum(-2, keepdim=True) / mask.sum(-2, keepdim=True).clamp_min(1)
        residual = ((x - predicted.mean) ** 2 * mask).sum(-2)
        total = ((x - mean) ** 2 * mask).sum(-2)
        varying = total > 0
        if varying.any():
            scores["r2"] = (1 - residual[varying] / total[varying]).mean().item()
        return scores

    def _load_signal(self, source: Source, grid: TimeGrid, where: str) -> Stream:
        series = source.series(self.path)
        interval = float(np.median(np.diff(series.times))) if len(series.times) > 1 else np.inf
        if interval <= grid.bin_width:
            values, mask = grid.average(series)
        else:
            values, mask = grid.interpolate(series, max_gap=self.max_gap or 3 * interval)
        values = np.where(mask, values, 0).astype(np.float32)
        return Stream(values, mask, series.channels, series.unit, series.notes)

    def _load_labels(self, source: Source, grid: TimeGrid, where: str) -> Stream:
        if self.path.startswith("intervals/") and self.path.count("/") == 2:
            return self._load_column(source, grid, where)
        series = source.series(self.path)
        labels, valid = np.asarray(series.values[:, 0]), np.asarray(series.valid[:, 0])
        found = np.unique(labels[valid])
        levels = _checked_levels(tuple(f"{v:g}" for v in found), where)
        values, mask = _hold(grid, series, np.searchsorted(found, labels))
        channels = Channels(ids=(self.path.rsplit("/", 1)[-1],), levels=levels)
        return Stream(values, mask, channels, "label", series.notes)

    def _load_column(self, source: Source, grid: TimeGrid, where: str) -> Stream:
        table = source.intervals(self.path)
        name = self.path.rsplit("/", 1)[-1]
        found, codes = np.unique(table.columns[name].astype(str), return_inverse=True)
        levels = _checked_levels(tuple(found), where)
        values = np.zeros((grid.n_bins, 1), dtype=np.float32)
        mask = np.zeros(values.shape, dtype=bool)
        for i, code in enumerate(codes):
            row = type(table)(table.starts[i : i + 1], table.stops[i : i + 1], {})
            inside = grid.inside(row)
            values[inside, 0], mask[inside, 0] = code, True
        return Stream(values, mask, Channels(ids=(name,), levels=levels), "label")


def _checked_levels(levels: tuple[str, ...], where: str) -> tuple[str, ...]:
    if not 2 <= len(levels) <= MAX_LEVELS:
        raise DataError(
            f"a label with {len(levels)} levels; 2 to {MAX_LEVELS} are usable",
            where=where,
            fix="use observation: gaussian for a continuous signal, or drop the stream",
        )
    return levels


def _hold(grid: TimeGrid, series: Series, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last valid label of each bin; bins without a sample are masked."""
    values = np.zeros((grid.n_bins, 1), dtype=np.float32)
    mask = np.zeros(values.shape, dtype=bool)
    bins = grid.index(series.times)
    use = (bins >= 0) & (bins < grid.n_bins) & np.asarray(series.valid[:, 0])
    values[bins[use], 0], mask[bins[use], 0] = codes[use], True
    return values, mask
