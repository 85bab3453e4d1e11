"""An evaluation on disk: JSON for the numbers, safetensors for the figures, a manifest for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodsr.config import parse_stored
from neurodsr.evaluation.results import Evaluation
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import check_manifest
from neurodsr.storage.tensors import read_arrays, write_arrays


def save_evaluation(
    evaluation: Evaluation, arrays: dict[str, np.ndarray], path: str | Path, *, force: bool = False
) -> None:
    """Write an evaluation and the arrays of its figures as one folder."""
    with complete_folder(path, force=force) as folder:
        write_json(folder / "evaluation.json", evaluation.to_plain())
        write_arrays(folder / "arrays.safetensors", arrays)


def load_evaluation(path: str | Path) -> tuple[Evaluation, dict[str, np.ndarray]]:
    """Read what `save_evaluation` wrote.

    Raises
    ------
    IntegrityError
        The folder is incomplete or damaged.
    """
    folder = Path(path)
    check_manifest(folder)
    path = folder / "evaluation.json"
    evaluation = parse_stored(Evaluation, read_json(path), where=str(path))
    return evaluation, read_arrays(folder / "arrays.safetensors")
