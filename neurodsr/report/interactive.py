"""The one figure that turns under the mouse: plotly data, and plotly itself inlined once."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float

from neurodsr.report.figures.canvas import DATA, SURROGATE
from neurodsr.report.figures.orbits import is_continuous

_MAX_POINTS = 5000


def orbit_figure(
    data: Float[np.ndarray, "time dim"], generated: Float[np.ndarray, "time dim"], *, reference: str
) -> str | None:
    """Both orbits in one space, as JSON for plotly; None where there are fewer than 3 dimensions.

    No string from a file goes in, since plotly reads markup in its texts.
    """
    if min(data.shape[1], generated.shape[1]) < 3:
        return None
    figure = {
        "data": [_trace(data, DATA, reference), _trace(generated, SURROGATE, "Surrogate")],
        "layout": {
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "paper_bgcolor": "#ffffff",
            "font": {"color": "#1a1a1a", "size": 12},
            "legend": {"orientation": "h", "x": 0, "y": 1, "itemsizing": "constant"},
            "scene": _scene(),
        },
    }
    return script_text(json.dumps(figure, sort_keys=True))


def plotly_source() -> str:
    """The whole of plotly.js, from the installed package."""
    return script_text(
        (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    )


def script_text(source: str) -> str:
    """Script or JSON that cannot end, or nest, the script element that it stands in."""
    # Inside strings of JavaScript and JSON, \u003c is "<"; nothing else may contain these two.
    return source.replace("</script", "\\u003c/script").replace("<!--", "\\u003c!--")


def _scene() -> dict[str, Any]:
    look = {"gridcolor": "#dddddd", "zerolinecolor": "#bbbbbb", "backgroundcolor": "#fafafa"}
    axes = {
        f"{name}axis": {**look, "title": {"text": f"Coordinate {k}"}}
        for k, name in enumerate("xyz", start=1)
    }
    return {**axes, "camera": {"eye": {"x": 1.25, "y": -2.15, "z": 0.8}}}  # as the static figure


def _trace(orbit: np.ndarray, color: str, name: str) -> dict[str, Any]:
    stride = max(1, -(-len(orbit) // _MAX_POINTS))
    points = orbit[::stride, :3].astype("<f4")
    points = points[np.isfinite(points).all(axis=1)]
    limits = np.stack([points.min(axis=0), points.max(axis=0)], axis=1)
    return {
        "type": "scatter3d",
        "mode": "lines" if is_continuous(points, limits) else "markers",
        "name": name,
        "opacity": 0.6,
        "line": {"width": 1.5, "color": color},
        "marker": {"size": 1.6, "color": color},
        "hoverinfo": "name",
        **{axis: _packed(points[:, k]) for k, axis in enumerate("xyz")},
    }


def _packed(values: np.ndarray) -> dict[str, str]:
    return {"dtype": "f4", "bdata": base64.b64encode(values.tobytes()).decode()}
