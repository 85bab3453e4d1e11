"""What is checked of an HDF5 file before any NWB reader may open it."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NoReturn

import h5py
import numpy as np

from neurodsr.errors import DataError, IntegrityError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
GIB = 2**30
MAX_UNSTORED, MAX_RATIO, MAX_CHUNK = 4 * GIB, 1000, GIB
MAX_ABSENT = 10**5
"""Chunks that may be declared without being stored."""
LOW_LEVEL_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError)


def scan_hdf5(path: str | os.PathLike[str]) -> str:
    """Check that a file is a whole, self-contained NWB 2 file on HDF5, and give its NWB version.

    HDF5 can name other files whose bytes then appear as data (external links, external storage,
    virtual datasets), and a file of 2 kB can declare 8 TB. Every object is looked at once, and
    no data are read.

    Parameters
    ----------
    path
        The file; nothing but a regular file is ever opened.

    Returns
    -------
    The file's `nwb_version`, such as "2.7.0".

    Raises
    ------
    DataError
        Missing, a folder, empty, not HDF5, truncated, not NWB 2, or larger on paper than on disk.
    IntegrityError
        Something in the file points outside of it; all such objects are listed.
    """
    where = os.fspath(path)
    check_regular_file(where)
    if not has_hdf5_signature(where):
        raise DataError(
            "the content is not HDF5, so it is no NWB file",
            where=where,
            fix="give an NWB file; check that the download or export finished",
        )
    try:
        with h5py.File(where, "r", locking="best-effort") as file:
            check_objects(file, where)
            return _nwb_version(file, where)
    except LOW_LEVEL_ERRORS as error:
        _refuse_damaged(error, where)


def check_objects(file: h5py.File, where: str) -> None:
    """Refuse an opened HDF5 file, of whatever format, that is not self-contained.

    Raises
    ------
    DataError
        A dataset is larger on paper than on disk.
    IntegrityError
        Something in the file points outside of it; all such objects are listed.
    """
    objects = list(_walk(file))
    _refuse_outside(objects, where)
    for name, item in objects:
        if isinstance(item, h5py.h5d.DatasetID):
            _check_size(item, f"{where}:/{name}")


def check_regular_file(where: str) -> os.stat_result:
    """Refuse what is missing, empty, unreadable or no regular file, without opening it.

    A pipe would make the reader wait forever, so the kind of file is asked before its content.
    """
    try:
        found = os.stat(where)
    except OSError as error:
        broken = os.path.islink(where) and not os.path.exists(where)
        what = "a link to a file that does not exist" if broken else "no such file"
        raise DataError(
            what if isinstance(error, FileNotFoundError) else str(error.strerror),
            where=where,
            fix="check the path; a path in a configuration is relative to that configuration",
        ) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise DataError(
            f"{kind}, not a file", where=where, fix="give the path of one NWB file (.nwb, HDF5)"
        )
    if not found.st_size:
        raise DataError("the file is empty", where=where, fix="copy or download it again")
    if not os.access(where, os.R_OK):
        raise DataError(
            "no permission to read the file",
            where=where,
            fix=f"chmod u+r {os.path.basename(where)}",
        )
    return found


def read_attribute(source: h5py.HLObject, name: str) -> Any:
    """An attribute of an opened object; KeyError if there is none of that name.

    Raises
    ------
    TypeError
        It is a sequence of variable length.
    """
    if not h5py.h5a.exists(source.id, name.encode()):
        raise KeyError(name)
    kind = h5py.h5a.open(source.id, name.encode()).get_type()
    refuse_sequences(kind)
    return source.attrs[name]


def refuse_sequences(kind: h5py.h5t.TypeID) -> None:
    """Refuse elements that are sequences of variable length, which texts become by one wrong bit.

    NWB has no stream of them, and HDF5 ends the process when it reads such a damaged text.

    Raises
    ------
    TypeError
        They are.
    """
    # Within records, texts of variable length are found too; their damage does the same.
    if kind.detect_class(h5py.h5t.VLEN):
        raise TypeError("holds sequences of variable length, which no stream is made of")


def has_hdf5_signature(where: str) -> bool:
    """Whether the HDF5 signature lies at 0, 512, 1024, 2048 ... as the format allows."""
    size, offset = os.path.getsize(where), 0
    with open(where, "rb") as file:
        while offset < size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            offset = 2 * offset or 512
    return False


def _walk(file: h5py.File) -> Iterator[tuple[str, object]]:
    """Every object once, by path; a link that is not hard is given as its description."""
    seen: set[int] = set()
    stack: list[tuple[str, h5py.h5g.GroupID]] = [("", h5py.h5g.open(file.id, b"/"))]
    while stack:
        path, group = stack.pop()
        for raw in group:
            name = f"{path}/{raw.decode('utf-8', 'replace')}".lstrip("/")
            kind = group.links.get_info(raw).type
            if kind != h5py.h5l.TYPE_HARD:
                yield name, _describe_link(group, raw, kind)
                continue
            item = h5py.h5o.open(group, raw)
            address = h5py.h5o.get_info(item).addr
            if address not in seen:
                seen.add(address)
                yield name, item
                if isinstance(item, h5py.h5g.GroupID):
                    stack.append((name, item))


def _describe_link(group: h5py.h5g.GroupID, raw: bytes, kind: int) -> tuple[object, ...]:
    if kind == h5py.h5l.TYPE_SOFT:
        return ("soft", group, raw, group.links.get_val(raw).decode("utf-8", "replace"))
    if kind == h5py.h5l.TYPE_EXTERNAL:
        target = [part.decode("utf-8", "replace") for part in group.links.get_val(raw)]
        return ("external", ":".join(target))
    return ("external", "an application of its own")


def _refuse_outside(objects: list[tuple[str, object]], where: str) -> None:
    found = [f"{name} ({reason})" for name, item in objects if (reason := _leaves(item))]
    # Soft links are followed only once nothing else can lead out of the file.
    if not found:
        found = [
            f"{name} (soft link to {item[3]}, which is not in the file)"
            for name, item in objects
            if isinstance(item, tuple) and not _leads_somewhere(item[1], item[2])
        ]
    if found:
        more = f" and {len(found) - 10} more" if len(found) > 10 else ""
        raise IntegrityError(
            f"{len(found)} objects point outside the file: {'; '.join(found[:10])}{more}",
            where=where,
            fix="export a self-contained copy, e.g. with pynwb's NWBHDF5IO.export, and use that",
        )


def _leads_somewhere(group: h5py.h5g.GroupID, raw: bytes) -> bool:
    try:
        return h5py.h5o.exists_by_name(group, raw)
    except RuntimeError:  # HDF5's way to say that a folder on the way is missing
        return False


def _leaves(item: object) -> str:
    """How an object leaves its file; empty if it does not."""
    if isinstance(item, tuple):
        return f"external link to {item[1]}" if item[0] == "external" else ""
    if not isinstance(item, h5py.h5d.DatasetID):
        return ""
    created = item.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL:
        return "virtual dataset"
    if created.get_external_count():
        return f"external storage in {created.get_external(0)[0].decode('utf-8', 'replace')}"
    return ""


def _check_size(item: h5py.h5d.DatasetID, where: str) -> None:
    itemsize = item.get_type().get_size()
    declared, stored = math.prod(item.shape or ()) * itemsize, item.get_storage_size()
    if declared > MAX_UNSTORED and declared > MAX_RATIO * stored:
        raise DataError(
            f"declares {declared / GIB:.1f} GiB {tuple(item.shape)} but stores {stored} bytes",
            where=where,
            fix="write the dataset again with its real shape, or remove it from the file",
        )
    created = item.get_create_plist()
    if created.get_layout() != h5py.h5d.CHUNKED:
        return
    chunk = math.prod(created.get_chunk()) * itemsize
    # Each absent chunk is searched for, which takes minutes although there is nothing to read.
    if declared > MAX_ABSENT * chunk and declared > MAX_RATIO * stored:
        raise DataError(
            f"declares {declared // chunk} chunks {tuple(item.shape)} but stores {stored} bytes",
            where=where,
            fix="write the dataset again with its real shape, or remove it from the file",
        )
    if chunk > MAX_CHUNK:
        raise DataError(
            f"one chunk holds {chunk / GIB:.1f} GiB, more than {MAX_CHUNK // GIB} GiB",
            where=where,
            fix="repack the file with smaller chunks: h5repack -l CHUNK=65536 old.nwb new.nwb",
        )


def _nwb_version(file: h5py.File, where: str) -> str:
    found = None
    if "nwb_version" in file.attrs:
        found = read_attribute(file, "nwb_version")
    elif isinstance(file.get("nwb_version"), h5py.Dataset):
        refuse_sequences(file["nwb_version"].id.get_type())
        found = file["nwb_version"][()]
    if found is None:
        names = ", ".join(sorted(file)[:8]) or "nothing"
        raise DataError(
            f"HDF5 but not NWB: there is no nwb_version, and its root holds {names}",
            where=where,
            fix="convert it to NWB 2 first, e.g. with neuroconv or pynwb",
        )
    version = _text(found)
    if not version.removeprefix("NWB-").startswith("2"):
        raise DataError(
            f"the file is of NWB version {version!r}; version 2 is needed",
            where=where,
            fix="ask for an NWB 2 copy or convert it with pynwb; DANDI holds NWB 2 only",
        )
    return version


def _text(value: object) -> str:
    value = value.reshape(-1)[0] if isinstance(value, np.ndarray) and value.size else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _refuse_damaged(error: Exception, where: str) -> NoReturn:
    sizes = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error))
    if sizes:
        raise DataError(
            f"the file is truncated: {sizes[1]} bytes of the {sizes[2]} it should have",
            where=where,
            fix="copy or download it again",
        ) from error
    if "unable to lock" in str(error):
        raise DataError(
            f"the file is locked: {error}",
            where=where,
            fix="close the program that is writing it, then run again",
        ) from error
    raise DataError(
        f"HDF5 cannot read the file: {error}",
        where=where,
        fix="copy or download it again; `h5dump -H` shows whether its structure is intact",
    ) from error
