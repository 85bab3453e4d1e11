"""The regions of interest behind a fluorescence series: their table, plane and places."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_columns import plain_columns, referenced_table, region_rows
from neurodsr.sources.nwb_electrodes import raw_regions, take_rows
from neurodsr.sources.nwb_localization import localized
from neurodsr.sources.nwb_locations import cell_types, declared_length, group_text, parse_location
from neurodsr.sources.nwb_masks import mask_centers, stored_centers
from neurodsr.sources.nwb_nodes import Node, as_text, read_all, reading
from neurodsr.sources.tree import Dataset, Group

SPACE = "imaging plane"
METERS = {"um": 1e-6, "mm": 1e-3, "m": 1.0}


def roi_channels(node: Node, *, shape: tuple[int, ...]) -> tuple[Channels, tuple[str, ...]]:
    """One channel a ROI, named by its id in the segmentation, in the region of its plane.

    Raises
    ------
    DataError
        The series has another number of columns than of ROIs; its axes may be swapped.
    """
    found = _rois(node)
    if found is None:
        n = shape[1] if len(shape) == 2 else 1
        name = node.path.rsplit("/", 1)[-1]
        return Channels(ids=tuple(f"{name}[{i}]" for i in range(n))), ()
    table, rows = found
    _refuse_wrong_shape(node, shape, len(rows))
    channels = _segmented(table)
    channels, notes = localized(channels, node.tree, table.group)
    return take_rows(channels, rows, tuple(channels.ids[r] for r in rows)), notes


def roi_columns(node: Node) -> dict[str, np.ndarray]:
    """What the segmentation says of each ROI of a series, such as whether it was accepted."""
    found = _rois(node)
    if found is None:
        return {}
    table, rows = found
    columns = plain_columns(table, n=len(table.group["id"]))
    return {name: values[rows] for name, values in columns.items()}


def plane_description(node: Node) -> str:
    """Indicator and name of the plane that a series was imaged in; "" if the file has none."""
    found = _rois(node)
    plane = None if found is None else _plane(found[0])
    if plane is None:
        return ""
    parts = {"indicator": group_text(plane, "indicator"), "plane": plane.path.rpartition("/")[2]}
    return ", ".join(f"{k} {v}" for k, v in parts.items() if v)


def _rois(node: Node) -> tuple[Node, np.ndarray] | None:
    """The segmentation, and which of its rows the series has as columns."""
    data, where = node.dataset("rois"), f"{node.where}/rois"
    if data is None:
        return None
    table = referenced_table(node, data, where)
    rows = region_rows(data, table, where)
    return Node(table.path, ("PlaneSegmentation",), table, node.tree), rows


def _plane(table: Node) -> Group | None:
    plane = table.group.get("imaging_plane")
    return plane if isinstance(plane, Group) else None


def _refuse_wrong_shape(node: Node, shape: tuple[int, ...], n_rois: int) -> None:
    n = shape[1] if len(shape) == 2 else 1
    if n == n_rois:
        return
    swapped = len(shape) == 2 and shape[0] == n_rois
    raise DataError(
        f"data of shape {shape} for {n_rois} ROIs"
        + ("; the axes are (roi, time) instead of (time, roi)" if swapped else ""),
        where=node.where,
        fix="write the series again with time as the first axis and one column a ROI",
    )


def _segmented(table: Node) -> Channels:
    """One channel a row of the segmentation, where its own columns and its plane say."""
    ids = tuple(str(i) for i in read_all(table.group["id"], f"{table.where}/id"))
    n, plane = len(ids), _plane(table)
    of_plane = group_text(plane, "location") if plane is not None else ""
    own = raw_regions(table.group, n, table)
    raw = [text if parse_location(text)[0] else of_plane for text in own]
    parsed = [parse_location(text) for text in raw]
    positions, located, unit = _places(table, n, plane)
    return Channels(
        ids=ids,
        regions=tuple(region for region, _ in parsed),
        positions=positions,
        located=located,
        raw_regions=tuple(raw),
        position_units=(unit,) * n,
        spaces=(SPACE if located.any() else "unknown",) * n,
        hemispheres=tuple(hemisphere for _, hemisphere in parsed),
        cell_types=cell_types(table.group, n, table.where),
        anatomy_sources=tuple(
            _source(text, region, located=bool(here))
            for text, (region, _), here in zip(own, parsed, located.tolist(), strict=True)
        ),
    )


def _source(own: str, region: str, *, located: bool) -> str:
    if parse_location(own)[0]:
        return "segmentation"
    return SPACE if region or located else ""


def _places(
    table: Node, n: int, plane: Group | None
) -> tuple[Float[np.ndarray, "roi 3"], np.ndarray, str]:
    """Centers of the ROIs, in the plane's unit where it declares a grid spacing, else in pixels.

    Masks are only read where the result has a unit: pixels without a size place nothing.
    """
    spacing, unit = _vector(table, plane, "grid_spacing")
    pixels = stored_centers(table, n)
    if pixels is None and spacing is not None:
        pixels = mask_centers(table, n)
    if pixels is None:
        return np.zeros((n, 3)), np.zeros(n, dtype=bool), "unknown"
    located = np.isfinite(pixels).all(axis=1)
    pixels = np.where(located[:, None], pixels, 0.0)
    if not located.any():
        return pixels, located, "unknown"
    if spacing is None:
        return pixels, located, "pixel"
    origin, origin_unit = _vector(table, plane, "origin_coords")
    corner = 0.0 if origin is None else origin * (METERS[origin_unit] / METERS[unit])
    return np.where(located[:, None], pixels * spacing + corner, 0.0), located, unit


def _vector(table: Node, plane: Group | None, name: str) -> tuple[np.ndarray | None, str]:
    """Two or three lengths of a plane as x, y, z; None unless they declare their unit."""
    data = plane.get(name) if plane is not None else None
    if not isinstance(data, Dataset) or data.kind != "number":
        return None, "unknown"
    with reading(f"{table.tree.where}:/{data.path}"):
        values = np.ravel(data[()] if data.ndim == 0 else data[:]).astype(float)
        unit = declared_length(as_text(data.attributes.get("unit", "")))
    if len(values) not in (2, 3) or not np.isfinite(values).all() or unit == "unknown":
        return None, "unknown"
    full = np.zeros(3)
    full[: len(values)] = values
    return full, unit
