"""Which parts of the engine are here: what is missing is named, and nothing stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from engine_parts.timing import Variant
from neurodsr.errors import NeurodsrError
from neurodsr.kernels.dispatch import Backend
from neurodsr.kernels.native import native_path
from neurodsr.kernels.path import Path


class NotAvailableError(Exception):
    """A part of the engine that this installation or this machine does not have."""


Builders = Mapping[str, Callable[[], Variant]]


def require_backend(name: str) -> None:
    """Refuse a path of the scan that `scan` would not take.

    Raises
    ------
    NotAvailableError
        `scan` knows no such path, or its compiled library is not there.
    """
    known = get_args(Backend)
    if name not in known:
        raise NotAvailableError(f"scan has no backend {name!r}, only {', '.join(known)}")
    if name == "native":
        native()


def native() -> Path:
    """The compiled path.

    Raises
    ------
    NotAvailableError
        No library was built, or none can be loaded here.
    """
    path = native_path()
    if path is None:
        raise NotAvailableError("the compiled library was not built or cannot be loaded")
    return path


def prepare(builders: Builders) -> tuple[dict[str, Variant], dict[str, str]]:
    """The variants that are here, each called once, and why the others are not."""
    ready, missing = {}, {}
    for name, build in builders.items():
        try:
            variant = build()
            variant.run()
        except (NotAvailableError, NeurodsrError) as error:
            missing[name] = str(error)
        else:
            ready[name] = variant
    return ready, missing


def absent(row: Mapping[str, object], missing: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """One line for each variant that is not here."""
    for name, reason in missing.items():
        yield {**row, "variant": name, "not available": reason}
