"""Behavior: continuous signals with a Gaussian observation model, or labels with a softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, blockwise
from neurodsr.data.streams import Intervals, Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.selection import Selection
from neurodsr.modalities.signals import choose_channels, refuse_missing, resampler
from neurodsr.sources.missing import missing_entries

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

    shares_channels: ClassVar[bool] = True

    kind: Literal["behavior"] = Field("behavior", description="Behavior, continuous or labels.")
    observation: Literal["gaussian", "categorical"] = Field(
        "gaussian", description="Continuous signal (gaussian) or labels (categorical)."
    )
    where: Selection = Field(
        default_factory=dict,
        description="Channels that are used, by what the file says of each, such as Accepted: 1: "
        "column -> value, values, or {min, max}.",
    )
    channels: tuple[str, ...] | None = Field(
        None, description="Ids of the channels that are used; default: all."
    )
    resample: Literal["auto", "mean", "interpolate", "sample"] = Field(
        "auto",
        description="How a signal meets the grid: the mean of the samples in a bin, a line between "
        "samples, or each sample in the bin of its time alone (volumes of a scanner); auto: the "
        "mean where a bin has a sample or more, else a line.",
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
        if not isinstance(stream.mask, LazyArray) and not stream.mask.any():
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
        series = choose_channels(source.series(self.path), self.where, self.channels, where=where)
        refuse_missing(series, limit=self.max_missing, where=where)
        resample = resampler(series, grid, self.resample, max_gap=self.max_gap)
        if isinstance(series.values, LazyArray):
            values, mask = blockwise(
                grid, resample, n_channels=len(series.channels), dtype=np.float32
            )
        else:
            values, mask = resample(grid)
            values = values.astype(np.float32)
        return Stream(values, mask, series.channels, series.unit, series.notes)

    def _load_labels(self, source: Source, grid: TimeGrid, where: str) -> Stream:
        if _is_column(source, self.path.strip("/")):
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
        missing = missing_entries(table.columns[name])
        found, codes = np.unique(table.columns[name][~missing].astype(str), return_inverse=True)
        levels = _checked_levels(tuple(found), where)
        starts, stops = table.starts[~missing], table.stops[~missing]
        values, mask, mixed = _label_bins(grid, starts, stops, codes)
        notes = _label_notes(int(missing.sum()), mixed)
        return Stream(values, mask, Channels(ids=(name,), levels=levels), "label", notes)


def _is_column(source: Source, path: str) -> bool:
    """Whether a path names a column of a table of intervals, such as trials."""
    if path.startswith("intervals/") and path.count("/") == 2:
        return True
    tables = [entry for entry in source.list_streams() if entry.kind == "intervals"]
    return any(path == f"{table.path}/{c}" for table in tables for c in table.columns)


def _label_bins(
    grid: TimeGrid, starts: np.ndarray, stops: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Label of each bin inside a row, which bins have one label, and how many have several."""
    values = np.zeros((grid.n_bins, 1), dtype=np.float32)
    n_labels = np.zeros(grid.n_bins, dtype=int)
    for code in np.unique(codes):
        rows = codes == code
        inside = grid.inside(Intervals(starts[rows], stops[rows], {}))
        values[inside, 0] = code
        n_labels += inside
    values[n_labels != 1] = 0
    return values, (n_labels == 1)[:, None], int((n_labels > 1).sum())


def _label_notes(missing: int, mixed: int) -> tuple[str, ...]:
    notes = (
        f"{missing} rows without a label were masked" if missing else "",
        f"{mixed} bins in rows with different labels were masked" if mixed else "",
    )
    return tuple(filter(None, notes))


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
    bins = grid.index(np.asarray(series.times))
    use = (bins >= 0) & (bins < grid.n_bins) & np.asarray(series.valid[:, 0])
    values[bins[use], 0], mask[bins[use], 0] = codes[use], True
    return values, mask
