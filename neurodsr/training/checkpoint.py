"""Checkpoints of a training loop: whole or absent, verified, the newest sound one wins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurodsr.errors import IntegrityError
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.files import remove
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import check_manifest
from neurodsr.storage.tensors import read_arrays, write_arrays

N_KEPT = 2


def save_checkpoint(folder: Path, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write one checkpoint of the given step; older ones beyond the last two are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with complete_folder(folder / f"step-{facts['step']:08d}", force=True) as target:
        write_json(target / "state.json", facts)
        write_arrays(target / "tensors.safetensors", {k: v.numpy() for k, v in tensors.items()})
    for old in _newest_first(folder)[N_KEPT:]:
        shutil.rmtree(old)


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """The newest checkpoint whose checksums hold; damaged ones are set aside as *.corrupt."""
    for candidate in _newest_first(folder):
        try:
            check_manifest(candidate)
            arrays = read_arrays(candidate / "tensors.safetensors")
            return read_json(candidate / "state.json"), {
                k: torch.from_numpy(v) for k, v in arrays.items()
            }
        except IntegrityError:
            aside = candidate.with_suffix(".corrupt")
            remove(aside)  # the same step may have been damaged before; the last one is kept
            candidate.rename(aside)
    return None


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if p.name.startswith("step-") and not p.suffix)
    return sorted(found, reverse=True)
