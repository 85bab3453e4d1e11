"""The header of a NIfTI file, read by nibabel and checked before any voxel is."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from jaxtyping import Float
from nibabel.spatialimages import HeaderDataError

from neurodsr.errors import DataError
from neurodsr.sources.safety import check_regular_file

GZIP = b"\x1f\x8b"
BYTES_READ = 540  # of the longer of the two headers
KINDS = {b"n+1\x00": nib.Nifti1Header, b"n+2\x00": nib.Nifti2Header}
PAIRS = (b"ni1\x00", b"ni2\x00")
LENGTH_UNITS = {"mm": "mm", "meter": "m", "micron": "um"}
SPACES = {1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI152", 5: "template"}
MAX_VOLUME = 2**31
SINGULAR = 1e-6
SAME_PLACE = 1e-3
GZIP_ERRORS = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI file says of itself.

    Parameters
    ----------
    path
        The file.
    shape
        Voxels along each axis; the fourth is time.
    dtype
        Numbers as stored, byte order included.
    offset
        First byte of the voxels in the (inflated) file.
    compressed
        Whether the file is gzip.
    slope, intercept
        value = stored * slope + intercept.
    affine
        From voxel indices to positions, shape (4, 4).
    space
        Coordinate space that the header declares, such as "scanner"; "" if it declares none,
        and then the affine places nothing.
    length_unit
        Unit of the positions as declared; "unknown" if it is not.
    time_step, time_unit
        `pixdim[4]` as stored, and the unit that `xyzt_units` gives it: "sec", "msec", "usec",
        "unknown" or a unit that is no time.
    notes
        What was repaired in the header.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    compressed: bool
    slope: float
    intercept: float
    affine: Float[np.ndarray, "4 4"]
    space: str
    length_unit: str
    time_step: float
    time_unit: str
    notes: tuple[str, ...] = ()

    @property
    def n_volumes(self) -> int:
        """Length of the time axis; 1 for a single volume."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def n_voxels(self) -> int:
        """Voxels of one volume."""
        return math.prod(self.shape[:3])

    @property
    def volume_bytes(self) -> int:
        """Stored bytes of one volume."""
        return self.n_voxels * self.dtype.itemsize

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole (inflated) file, from its first to its last voxel."""
        return self.offset + self.n_volumes * self.volume_bytes


def is_nifti(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file's first bytes are those of NIfTI, plain or gzip."""
    try:
        return _magic(_first_bytes(os.fspath(path))) in (*KINDS, *PAIRS)
    except GZIP_ERRORS:
        return False


def read_header(path: str | os.PathLike[str]) -> NiftiHeader:
    """The header of a NIfTI-1 or NIfTI-2 file, without reading a voxel.

    Raises
    ------
    DataError
        Missing, empty, no NIfTI, half of a pair, or a header whose shape, type, size or affine
        makes no sense.
    """
    where = os.fspath(path)
    check_regular_file(where)
    try:
        raw = _first_bytes(where)
    except GZIP_ERRORS as error:
        raise DataError(
            f"the gzip data end or break within the header ({error})",
            where=where,
            fix="copy or download the file again",
        ) from error
    header, notes = _parse(raw, where), []
    shape, dtype = _shape(header, where), _dtype(header, where)
    slope, intercept = _scaling(header, where)
    affine, space = _affine(header, where, notes)
    return NiftiHeader(
        path=where,
        shape=shape,
        dtype=dtype,
        offset=_offset(header, where),
        compressed=_is_gzip(where),
        slope=slope,
        intercept=intercept,
        affine=affine,
        space=space,
        length_unit=LENGTH_UNITS.get(_units(header)[0], "unknown"),
        # Stored as float32, 1.35 would become 1.35000002 s.
        time_step=float(str(header["pixdim"][4])),
        time_unit=_units(header)[1],
        notes=tuple(notes),
    )


def _is_gzip(where: str) -> bool:
    with open(where, "rb") as file:
        return file.read(2) == GZIP


def _first_bytes(where: str) -> bytes:
    opener = gzip.open if _is_gzip(where) else open
    with opener(where, "rb") as file:
        return file.read(BYTES_READ)


def _magic(raw: bytes) -> bytes:
    """The four bytes that tell NIfTI-1, NIfTI-2 and their two-file forms apart."""
    return raw[4:8] if raw[4:8] in (b"n+2\x00", b"ni2\x00") else raw[344:348]


def _parse(raw: bytes, where: str) -> nib.Nifti1Header:
    magic = _magic(raw)
    if magic in PAIRS:
        raise DataError(
            "a NIfTI in two files (.hdr and .img)",
            where=where,
            fix="write it as one file: nibabel.save(nibabel.load('run.hdr'), 'run.nii.gz')",
        )
    kind = KINDS.get(magic)
    if kind is None or len(raw) < kind.sizeof_hdr:
        raise DataError(
            f"no NIfTI: the magic text is {magic!r}",
            where=where,
            fix="give a NIfTI-1 or NIfTI-2 file (.nii, .nii.gz)",
        )
    # nibabel's own checks print to stderr and mend silently, so ours stand in for them.
    header = kind(raw[: kind.sizeof_hdr], check=False)
    if header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1  # what the standard says of any other value
    return header


def _shape(header: nib.Nifti1Header, where: str) -> tuple[int, ...]:
    n = int(header["dim"][0])
    shape = tuple(int(d) for d in header["dim"][1 : n + 1]) if 1 <= n <= 7 else ()
    if not shape or min(shape) < 1:
        raise _wrong(f"dim is {header['dim'].tolist()}", "its first entry counts the axes", where)
    if math.prod(shape[:3]) * header["bitpix"].item() // 8 > MAX_VOLUME:
        raise _wrong(f"one volume of shape {shape[:3]} holds more than 2 GiB", "check dim", where)
    return shape


def _dtype(header: nib.Nifti1Header, where: str) -> np.dtype:
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise _wrong(f"datatype {header['datatype']} is unknown", "write numbers", where) from error
    if dtype.kind not in "iuf" or dtype.itemsize * 8 != header["bitpix"]:
        raise _wrong(
            f"datatype {dtype} with {header['bitpix']} bits a voxel",
            "write real numbers of 8 to 64 bits; colors and complex numbers are not read",
            where,
        )
    return dtype


def _offset(header: nib.Nifti1Header, where: str) -> int:
    offset = float(header["vox_offset"])
    if not (header.single_vox_offset <= offset < 2**62 and offset == int(offset)):
        raise _wrong(
            f"the voxels begin at byte {offset:g}",
            f"write it again: they begin at byte {header.single_vox_offset} or later",
            where,
        )
    return int(offset)


def _scaling(header: nib.Nifti1Header, where: str) -> tuple[float, float]:
    """`scl_slope` and `scl_inter`; a slope of 0 or none means that nothing is scaled."""
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise _wrong(f"scl_inter is {header['scl_inter']}", "write a number", where) from error
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))


def _affine(
    header: nib.Nifti1Header, where: str, notes: list[str]
) -> tuple[Float[np.ndarray, "4 4"], str]:
    """The sform, else the qform, as the standard asks; and the space that its code names."""
    codes = {name: int(header[f"{name}_code"]) for name in ("sform", "qform")}
    try:
        # A form whose code is 0 may hold anything, so it is not even computed.
        found = {n: getattr(header, f"get_{n}")() for n, code in codes.items() if code > 0}
    except (HeaderDataError, ValueError) as error:
        raise _wrong(f"the qform is no rotation ({error})", "write the affine", where) from error
    if not found:
        notes.append("neither sform nor qform is set: the voxels' positions are unknown")
    used = next(iter(found), "")
    affine = np.asarray(found[used] if used else header.get_base_affine(), dtype=float)
    _refuse_singular(affine, where)
    if len(found) == 2 and codes["sform"] == codes["qform"]:
        apart = float(np.abs(found["sform"] - found["qform"]).max())
        if not apart <= SAME_PLACE * np.abs(affine).max():
            notes.append(f"sform and qform differ by up to {apart:.4g}; the sform was used")
    return affine, SPACES.get(codes[used], "unknown") if used else ""


def _refuse_singular(affine: np.ndarray, where: str) -> None:
    axes, finite = affine[:3, :3], np.isfinite(affine).all()
    if not finite or abs(np.linalg.det(axes)) <= SINGULAR * np.linalg.norm(axes, axis=0).prod():
        raise _wrong(
            f"the affine {np.round(affine, 4).tolist()} is singular or no number",
            "write the image again with the affine of its scanner or template",
            where,
        )


def _units(header: nib.Nifti1Header) -> tuple[str, str]:
    try:
        return header.get_xyzt_units()
    except KeyError:  # a code that the standard does not know
        return "unknown", "unknown"


def _wrong(what: str, remedy: str, where: str) -> DataError:
    return DataError(f"the NIfTI header is wrong: {what}", where=where, fix=remedy)
