"""Excerpts of the streams: what was observed, and what was predicted where data were hidden."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurodsr.report.figures.canvas import (
    DATA,
    INK,
    MASKED,
    SURROGATE,
    Picture,
    legend_above,
    picture,
)
from neurodsr.report.model import StreamSummary
from neurodsr.report.text import format_number, plain_text

_MAX_TRACES = 6


@dataclass(frozen=True)
class Excerpt:
    """A stretch of one stream: `values` and `mask` [time, channel], `predicted` where known."""

    stream: StreamSummary
    time: Float[np.ndarray, " time"]
    values: Float[np.ndarray, "time channel"]
    mask: Bool[np.ndarray, "time channel"]
    predicted: Float[np.ndarray, "time channel"] | None = None

    @property
    def counted(self) -> bool:
        """Whether the values are counts, drawn as an image."""
        return self.stream.unit == "count" and not self.stream.levels


def raster_picture(excerpts: list[Excerpt]) -> Picture:
    """All streams of the excerpt below each other on one time axis (s)."""
    heights = [_height(e) for e in excerpts]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(
            len(excerpts), 1, squeeze=False, sharex=True, height_ratios=heights
        ).flat
        for ax, excerpt in zip(axes, excerpts, strict=True):
            draw_stream = _draw_counts if excerpt.counted else _draw_overlaid
            draw_stream(ax, excerpt)
            ax.set_title(plain_text(excerpt.stream.name, limit=60))
        axes[-1].set_xlabel("Time (s)")

    names = ", ".join(plain_text(e.stream.name, limit=60) for e in excerpts)
    return picture(
        draw,
        alt=f"Excerpt of the observed data over time, one panel each for {names}.",
        caption="An excerpt of the recorded data. Counts are gray, darker for more; bins and "
        "channels that were not observed are sand-colored, or gaps in the lines.",
        height=0.5 + sum(heights),
        narrow_height=0.5 + sum(heights),
    )


def fit_picture(excerpt: Excerpt) -> Picture:
    """Observed data against the prediction of hidden bins, for one stream."""
    name = plain_text(excerpt.stream.name, limit=60)
    counted = excerpt.counted
    height = 0.6 + (2 * _height(excerpt) if counted else _fit_height(excerpt))

    def draw(figure: Figure) -> None:
        (_draw_counts_fit if counted else _draw_traces_fit)(figure, excerpt)

    return picture(
        draw,
        alt=f"Observed data of {name} and what was predicted for the same bins while hidden.",
        caption=f"{name}: every prediction was made without seeing the value that it predicts.",
        height=height,
        narrow_height=height,
    )


def _height(excerpt: Excerpt) -> float:
    return float(np.clip(0.05 * excerpt.values.shape[1], 1.3, 3.2)) if excerpt.counted else 1.3


def _fit_height(excerpt: Excerpt) -> float:
    return 1.3 * min(excerpt.values.shape[1], _MAX_TRACES)


def _draw_counts(ax: Axes, excerpt: Excerpt) -> None:
    _draw_image(ax, excerpt, excerpt.values, excerpt.mask)


def _draw_image(ax: Axes, excerpt: Excerpt, values: np.ndarray, mask: np.ndarray) -> float:
    """Draw counts as an image and return the count that is black."""
    order, regions = _by_region(excerpt)
    image = np.ma.masked_where(~(mask & np.isfinite(values)), values)[:, order].T
    seen = image.compressed()
    top = max(float(np.quantile(seen, 0.995)), 1e-9) if seen.size else 1.0
    ax.imshow(
        image,
        aspect="auto",
        cmap=matplotlib.colormaps["Greys"].with_extremes(bad=MASKED),
        vmin=0,
        vmax=top,
        extent=(*_span(excerpt.time), len(order) - 0.5, -0.5),
    )
    known = len(set(regions)) > 1
    ax.set_ylabel("Channels by region" if known and len(regions) > 25 else "Channel")
    _mark_regions(ax, regions)
    return top


def _span(time: np.ndarray) -> tuple[float, float]:
    width = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    return float(time[0]) - width / 2, float(time[-1]) + width / 2


def _by_region(excerpt: Excerpt) -> tuple[np.ndarray, list[str]]:
    n = excerpt.values.shape[1]
    regions = list(excerpt.stream.channel_regions)
    if len(regions) != n:  # the excerpt holds a part of the channels
        return np.arange(n), []
    order = np.array(sorted(range(n), key=lambda c: _unknown_last(regions[c])), dtype=int)
    return order, [regions[c] for c in order]


def _unknown_last(region: str) -> tuple[bool, str]:
    return region == "", region


def _mark_regions(ax: Axes, regions: list[str]) -> None:
    names = sorted(set(regions), key=_unknown_last)
    if not 1 < len(names) <= 12:
        return
    for name in names:
        first, number = regions.index(name), regions.count(name)
        if first:
            ax.axhline(first - 0.5, color=DATA, lw=0.8)
        label = plain_text(name, limit=20) or "unknown"
        y = 1 - (first + number / 2) / len(regions)
        _name_beside(ax, y, label)


def _name_beside(ax: Axes, y: float, name: str, *, color: str | np.ndarray = INK) -> None:
    ax.text(1.01, y, name, color=color, transform=ax.transAxes, va="center", fontsize=8.5)


def _draw_counts_fit(figure: Figure, excerpt: Excerpt) -> None:
    top, bottom = figure.subplots(2, 1, sharex=True)
    black = _draw_image(top, excerpt, excerpt.values, excerpt.mask)
    top.set_title(f"Observed: black is {format_number(black)} per bin")
    black = _draw_image(bottom, excerpt, excerpt.predicted, excerpt.mask)
    bottom.set_title(f"Expected while hidden: black is {format_number(black)} per bin")
    bottom.set_xlabel("Time (s)")


def _draw_traces_fit(figure: Figure, excerpt: Excerpt) -> None:
    n = min(excerpt.values.shape[1], _MAX_TRACES)
    axes = figure.subplots(n, 1, squeeze=False, sharex=True).flat
    for c, ax in enumerate(axes):
        _draw_channel(ax, excerpt, c, DATA, label="observed")
        predicted = _gaps(excerpt.predicted[:, c], np.isfinite(excerpt.predicted[:, c]))
        ax.plot(excerpt.time, predicted, color=SURROGATE, lw=1.1, label="predicted while hidden")
        ax.set_title(_channel_name(excerpt, c))
        _name_levels(ax, excerpt.stream)
    axes[-1].set_xlabel("Time (s)")
    legend_above(figure, axes[0], columns=2)


def _draw_overlaid(ax: Axes, excerpt: Excerpt) -> None:
    n = min(excerpt.values.shape[1], _MAX_TRACES)
    shades = matplotlib.colormaps["Blues"](np.linspace(0.95, 0.6, n))
    for c in range(n):
        _draw_channel(ax, excerpt, c, shades[c])
        if n > 1:  # one line needs no name beside the panel's
            _name_beside(ax, 1 - (c + 0.5) / n, _channel_name(excerpt, c), color=shades[c])
    _name_levels(ax, excerpt.stream)


def _draw_channel(
    ax: Axes, excerpt: Excerpt, channel: int, color: str | np.ndarray, *, label: str = ""
) -> None:
    values = _gaps(excerpt.values[:, channel], excerpt.mask[:, channel])
    style = "steps-mid" if excerpt.stream.levels else "default"
    ax.plot(excerpt.time, values, color=color, lw=1.2, label=label or None, drawstyle=style)
    ax.set_xlim(*_span(excerpt.time))


def _channel_name(excerpt: Excerpt, channel: int) -> str:
    ids = excerpt.stream.channel_ids
    whole = len(ids) == excerpt.values.shape[1]  # else the excerpt holds a part of the channels
    return plain_text(ids[channel], limit=16) if whole else f"channel {channel + 1}"


def _gaps(values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return np.where(shown, values, np.nan)


def _name_levels(ax: Axes, stream: StreamSummary) -> None:
    names = [plain_text(level, limit=16) for level in stream.levels]
    if names and len(names) <= 12:
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(-0.4, len(names) - 0.6)
    elif not names:
        ax.set_ylabel(plain_text(stream.unit, limit=16) or "Value")
