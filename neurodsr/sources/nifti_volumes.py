"""The volumes of a NIfTI file, one after another, and whether all of them are there."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np
from jaxtyping import Float

from neurodsr.errors import DataError
from neurodsr.sources.nifti_header import GZIP_ERRORS, NiftiHeader
from neurodsr.sources.stamp import refuse_changed, stamp

BLOCK = 2**20
MAX_INFLATION = 1032  # deflate stores at most 258 bytes in 2 bits


def check_stored(header: NiftiHeader) -> tuple[str, ...]:
    """Refuse a file that holds fewer bytes than its header declares; note if it holds more.

    Of a gzip file only the size in its last four bytes is looked at; where that disagrees, the
    data are inflated and counted, up to the size declared.

    Raises
    ------
    DataError
        Bytes are missing; both numbers are said.
    """
    declared, found = header.n_bytes, os.path.getsize(header.path)
    if header.compressed:
        if declared > MAX_INFLATION * found:
            raise _truncated(header, f"{found} compressed bytes, which cannot hold them")
        found = _inflated_size(header, declared)
    if found < declared:
        raise _truncated(header, f"{found}")
    extra = "bytes follow the last volume: is the number of volumes in the header right?"
    return (extra,) if found > declared else ()


def read_volumes(header: NiftiHeader) -> Iterator[Float[np.ndarray, " voxel"]]:
    """Every volume in order, scaled, its voxels flat with the first axis fastest.

    A gzip file is inflated once, from its start to its end, and its checksum compared; only one
    volume is in memory.

    Raises
    ------
    DataError
        The data end early, are damaged, or the file is written to meanwhile.
    """
    before = stamp(header.path)
    done = 0
    try:
        with _open(header) as file:
            _skip(file, header.offset)
            for _ in range(header.n_volumes):
                raw = file.read(header.volume_bytes)
                done += len(raw)
                if len(raw) < header.volume_bytes:
                    raise _truncated(header, f"{header.offset + done}")
                yield _scaled(raw, header)
            file.read(1)  # the end of a gzip file is where its checksum is compared
    except GZIP_ERRORS as error:
        raise DataError(
            f"the data are damaged after {header.offset + done} of {header.n_bytes} bytes "
            f"({error})",
            where=header.path,
            fix="copy or download the file again",
        ) from error
    refuse_changed(header.path, before)


def _open(header: NiftiHeader) -> BufferedIOBase:
    return gzip.open(header.path, "rb") if header.compressed else open(header.path, "rb")


def _skip(file: BufferedIOBase, n_bytes: int) -> None:
    while n_bytes > 0 and (block := file.read(min(BLOCK, n_bytes))):
        n_bytes -= len(block)


def _scaled(raw: bytes, header: NiftiHeader) -> np.ndarray:
    stored = np.frombuffer(raw, dtype=header.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return stored.astype(np.float64) * header.slope + header.intercept


def _inflated_size(header: NiftiHeader, declared: int) -> int:
    """Bytes that a gzip file inflates to; counting stops just beyond what is declared."""
    with open(header.path, "rb") as file:
        file.seek(-4, os.SEEK_END)
        if int.from_bytes(file.read(4), "little") == declared % 2**32:
            return declared
    found = 0
    try:
        with _open(header) as file:
            while found <= declared and (block := file.read(min(BLOCK, declared + 1 - found))):
                found += len(block)
    except GZIP_ERRORS:
        return found
    return found


def _truncated(header: NiftiHeader, found: str) -> DataError:
    return DataError(
        f"the file is truncated: its header declares {header.n_bytes} bytes, it holds {found}",
        where=header.path,
        fix="copy or download it again; shape "
        f"{header.shape} of {header.dtype} needs all of its bytes",
    )
