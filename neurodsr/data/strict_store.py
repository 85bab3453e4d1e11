"""Reading arrays strictly: what is missing or damaged is an error and never reads as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from neurodsr.errors import IntegrityError

FIX = (
    "restore it from a backup, or make it again with neurodsr ingest; neurodsr validate --deep "
    "lists every damaged file"
)


class StrictStore(LocalStore):
    """A folder of zarr arrays, read-only, in which a missing chunk is an error.

    Zarr fills a chunk that it does not find with `fill_value`, and takes an empty or a cut one
    for such; that is how half of a copied recording would read as silence. Final.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Bytes of a member, all those that were asked for."""
        return self._whole(key, await super().get(key, prototype, byte_range), byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """The same for zarr's paths without an event loop."""
        found = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._whole(key, found, byte_range)

    def _whole(
        self, key: str, found: Buffer | None, byte_range: ByteRequest | None
    ) -> Buffer | None:
        if "c" not in Path(key).parts:
            return found
        where = str(self.root / key)
        if found is None:
            raise IntegrityError(f"chunk {key} is missing", where=where, fix=FIX)
        if isinstance(byte_range, RangeByteRequest):
            cut = len(found) < byte_range.end - byte_range.start
        else:
            cut = not len(found)
        if cut:
            raise IntegrityError(f"chunk {key} is cut short", where=where, fix=FIX)
        return found


class StoredArray:
    """An array of a recording that stays on the disk and gives only what is sliced out of it.

    Parameters
    ----------
    path
        Folder of the recording.
    where
        The array's place in it.
    name
        The stream it belongs to, for errors.
    """

    ndim = 2

    def __init__(self, path: Path, where: str, *, name: str) -> None:
        self._array = zarr.open_array(store=StrictStore(path), path=where, mode="r", zarr_format=3)
        self._where, self._name = str(path / where), name
        self.shape, self.dtype = self._array.shape, self._array.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        try:
            return self._array[key]
        except IntegrityError as error:
            raise self._damaged(error.what) from error
        # What the checksums of zstd and of the shard's index raise, and a read that fails.
        except (RuntimeError, ValueError, OSError) as error:
            raise self._damaged(f"it cannot be read ({error})") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(
            f"stream {self._name!r} is damaged: {what}", where=self._where, fix=FIX
        )
