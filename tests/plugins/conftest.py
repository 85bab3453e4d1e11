"""Packages of plugins/ as pip installs them, each in a folder of its own, and neurodsr with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """neurodsr as it is in an environment that also has one package.

    Parameters
    ----------
    source
        The package's folder in the repository.
    site
        Where it is installed.
    """

    source: Path
    site: Path

    def python(self, *words: str | Path, cwd: Path | None = None) -> str:
        """What Python prints to stdout; it must end well."""
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(self.site), "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def neurodsr(self, *words: str | Path, cwd: Path | None = None) -> str:
        """What the command prints to stdout."""
        return self.python("-m", "neurodsr", *words, cwd=cwd)

    def json(self, *words: str | Path) -> dict[str, Any]:
        """What it prints with --json."""
        return json.loads(self.neurodsr(*words, "--json"))

    def example(self, name: str, folder: Path, size: str) -> Path:
        """The example's configuration in a folder, beside a recording of the given size."""
        script = f"import pathlib, runpy; runpy.run_path({str(ROOT / 'examples' / name)!r} + "
        script += f"'_data.py')['simulate'](pathlib.Path({name!r} + '.nwb'), {size})"
        self.python("-c", script, cwd=folder)
        return Path(shutil.copy(ROOT / "examples" / f"{name}.yaml", folder))

    def recording(self, folder: Path, config: dict[str, Any]) -> Path:
        """What `neurodsr ingest` makes of a configuration."""
        path = folder / "run.yaml"
        path.write_text(json.dumps({"schema_version": 1, **config}), encoding="utf-8")
        self.neurodsr("ingest", path, "-o", folder / "recording")
        return folder / "recording"


@pytest.fixture(scope="module")
def install(tmp_path_factory) -> Callable[[str], Installation]:
    """A function that installs one package of plugins/ with pip, from a copy: pip builds in it."""

    def make(name: str) -> Installation:
        folder = tmp_path_factory.mktemp(name)
        copy, site = folder / name, folder / "site"
        shutil.copytree(ROOT / "plugins" / name, copy)
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *offline, "--target", site, copy], check=True
        )
        return Installation(ROOT / "plugins" / name, site)

    return make
