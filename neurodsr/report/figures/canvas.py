"""Paper for the figures: one style, colors safe for color-blind readers, the same bytes always."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from neurodsr.report.text import power_of_ten

# Okabe and Ito's palette; data are always blue and the surrogate always vermilion.
DATA, SURROGATE, CONTROL = "#0072B2", "#D55E00", "#767676"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, MASKED = "#1a1a1a", "#f0e2c4"

_WIDE, _NARROW = 10.0, 3.7  # inches: the text column of a desk screen and of a phone
_PIXELS_PER_INCH = 96  # of CSS
_MAX_SVG = 150_000  # bytes; a heavier drawing is a lighter PNG
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,  # a channel named "$x" is no formula
    "axes.labelcolor": INK,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "neurodsr",  # element ids would be random otherwise
}


@dataclass(frozen=True)
class Drawing:
    """One image as a data URL, with its size in CSS pixels."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A figure drawn twice, for wide and for narrow windows, with words for those who see none."""

    wide: Drawing
    narrow: Drawing
    alt: str
    caption: str


def picture(
    draw: Callable[[Figure], None], *, alt: str, caption: str, height: float, narrow_height: float
) -> Picture:
    """Draw a figure for both widths.

    Parameters
    ----------
    draw
        Draws on an empty figure; `is_narrow(figure)` tells it which of the two it is.
    alt
        What the figure shows, for a reader who cannot see it.
    caption
        What to look at, printed below.
    height, narrow_height
        Heights, inches.
    """
    return Picture(
        _render(draw, _WIDE, height), _render(draw, _NARROW, narrow_height), alt, caption
    )


def is_narrow(figure: Figure) -> bool:
    """Whether panels must stand below each other."""
    return figure.get_figwidth() < (_WIDE + _NARROW) / 2


def panels(figure: Figure, n: int) -> list[Axes]:
    """Equal panels, side by side or, in a narrow figure, below each other."""
    shape = (n, 1) if is_narrow(figure) else (1, n)
    return list(figure.subplots(*shape, squeeze=False).flat)


def legend_above(figure: Figure, source: Axes, *, columns: int) -> None:
    """A legend in the margin above the panels, where it hides no data."""
    handles, labels = source.get_legend_handles_labels()
    columns = min(columns, 2) if is_narrow(figure) else columns
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def label_decades(axis: Axis) -> None:
    """Label a logarithmic axis at its decades, in plain text instead of a formula."""
    axis.set_major_locator(LogLocator(base=10, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def _render(draw: Callable[[Figure], None], width: float, height: float) -> Drawing:
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_STYLE}):
        figure = Figure(figsize=(width, height), layout="constrained", dpi=180)
        FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            # A name in a script that the font lacks shows as boxes; the table beside has it.
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            draw(figure)
            url = _svg(figure) or _png(figure)
    return Drawing(url, round(width * _PIXELS_PER_INCH), round(height * _PIXELS_PER_INCH))


def _svg(figure: Figure) -> str | None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    if buffer.tell() > _MAX_SVG:
        return None
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
