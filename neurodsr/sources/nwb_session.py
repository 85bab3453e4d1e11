"""Who and when an NWB file is about, and what is unusual about the file as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from neurodsr.sources.base import SessionInfo
from neurodsr.sources.nwb_nodes import Node, as_text
from neurodsr.sources.nwb_types import SPECIFICATIONS
from neurodsr.sources.tree import Dataset, Tree

NEWEST = (2, 11)
"""Version of the NWB schema that this reader was written for."""


def read_session(tree: Tree, nodes: Mapping[str, Node]) -> SessionInfo:
    """Identifier, start, subject and species, with warnings on schema and extensions."""
    subject = nodes.get("general/subject")
    return SessionInfo(
        identifier=_text(tree, "identifier"),
        started=_text(tree, "session_start_time"),
        subject=subject.text("subject_id") if subject else "",
        species=subject.text("species") if subject else "",
        warnings=tuple(_warnings(tree, nodes)),
    )


def _text(tree: Tree, name: str) -> str:
    found = tree.root.get(name)
    if not isinstance(found, Dataset):
        return ""
    return as_text(np.ravel(found[()] if found.ndim == 0 else found[:])[0])


def _warnings(tree: Tree, nodes: Mapping[str, Node]) -> Iterator[str]:
    version = as_text(tree.root.attributes.get("nwb_version", ""))
    subject = nodes.get("general/subject")
    if subject is None or not subject.text("subject_id"):
        yield "the file names no subject: sessions of one subject cannot be told from others"
    numbers = tuple(int(p) for p in version.split(".")[:2] if p.isdigit())
    if numbers > NEWEST:
        yield (
            f"the file is of NWB {version}, newer than {NEWEST[0]}.{NEWEST[1]}: "
            "what the newer schema adds is not read"
        )
    cached = set(_cached_namespaces(tree)) | {"core", "hdmf-common", "hdmf-experimental"}
    for namespace in sorted(_used_namespaces(nodes) - cached):
        yield (
            f"the extension {namespace!r} is used but not described in the file, so its types are "
            f"read only as far as they are known: to have it described, pip install {namespace} "
            "and save the file again with pynwb"
        )


def _cached_namespaces(tree: Tree) -> tuple[str, ...]:
    location = as_text(tree.root.attributes.get(".specloc", SPECIFICATIONS)).strip("/")
    try:
        return tree.get(location).names()
    except (KeyError, AttributeError):
        return ()


def _used_namespaces(nodes: Mapping[str, Node]) -> set[str]:
    # Only types without a known ancestor can miss their description.
    unknown = [node for node in nodes.values() if len(node.types) == 1]
    return {as_text(n.attribute("namespace")) for n in unknown} - {""}
