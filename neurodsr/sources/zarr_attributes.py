"""What NWB on Zarr keeps in attributes because Zarr has no words for it: links and references.

hdmf-zarr up to 0.13 (format 2) and from 0.14 on (format 3) spell them differently; both are read
in both formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neurodsr.errors import IntegrityError

LINKS = ("zarr_link", "_LINKS")
"""Attributes of a group that list its links."""
REFERENCE = ("value", "_REFERENCE")
"""Keys under which an attribute holds a reference."""
DTYPE = ("zarr_dtype", "_DTYPE")
"""Attributes of an array that say what its elements stand for."""
REFERENCES, SCALAR = frozenset({"object", "object_reference"}), "scalar"


def plain_attributes(document: Mapping[str, Any], root: str, where: str) -> dict[str, Any]:
    """Attributes as plain values: lists as arrays, references as paths, links left out.

    Raises
    ------
    IntegrityError
        A reference leads out of the folder.
    """
    return {k: _plain(v, root, f"{where}@{k}") for k, v in document.items() if k not in LINKS}


def link_targets(document: Mapping[str, Any], root: str, where: str) -> dict[str, str]:
    """Where the links of a group lead, by name, without leading slashes.

    Raises
    ------
    IntegrityError
        One leads out of the folder.
    """
    return {name: target(link, root, f"{where}/{name}") for name, link in _links(document)}


def leaving_links(document: Mapping[str, Any], root: str) -> list[str]:
    """The links of a group that lead out of the folder, each as "name (to where)"."""
    return [
        f"{name} (link to {link.get('source')}:{link.get('path')})"
        for name, link in _links(document)
        if not _stays(link, root)
    ]


def target(reference: Mapping[str, Any], root: str, where: str) -> str:
    """The path that a link or reference leads to, without a leading slash.

    Raises
    ------
    IntegrityError
        It leads out of the folder.
    """
    if not _stays(reference, root):
        raise IntegrityError(
            f"leads out of the folder, to {reference.get('source')}:{reference.get('path')}",
            where=where,
            fix="export a self-contained copy and use that",
        )
    return str(reference.get("path", "")).strip("/")


def stands_for(attributes: Mapping[str, Any]) -> str:
    """What an array's attributes say that its elements stand for; "" if they say nothing."""
    found = next((attributes[name] for name in DTYPE if name in attributes), "")
    return found if isinstance(found, str) else ""


def _links(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key in LINKS:
        for link in document.get(key, ()):
            yield str(link["name"]), link


def _stays(reference: Mapping[str, Any], root: str) -> bool:
    source, path = str(reference.get("source") or "."), str(reference.get("path", ""))
    # hdmf-zarr 0.10 wrote the folder's own path where all others write a dot.
    own = os.path.realpath(os.path.join(root, source)) if source != "." else ""
    return own in ("", os.path.realpath(root)) and ".." not in path.split("/")


def _plain(value: Any, root: str, where: str) -> Any:
    if isinstance(value, dict):
        found = next((value[k] for k in REFERENCE if isinstance(value.get(k), dict)), None)
        return value if found is None else target(found, root, where)
    if isinstance(value, list):
        return _array([_plain(member, root, where) for member in value])
    return value


def _array(members: list[Any]) -> Any:
    try:
        return np.array(members)
    except ValueError:  # lists of different lengths, which no stream asks for
        return members
