"""examples/lorenz63.yaml and its data script fit together."""

import runpy
import sys
from pathlib import Path

import h5py
import pytest

from neurodsr.load_config import load_config

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def data(tmp_path, monkeypatch):
    path = tmp_path / "lorenz63.nwb"
    script = str(EXAMPLES / "lorenz63_data.py")
    monkeypatch.setattr(sys, "argv", [script, str(path)])
    runpy.run_path(script, run_name="__main__")
    return path


def test_the_example_config_reads_what_the_example_script_writes(data):
    config = load_config(EXAMPLES / "lorenz63.yaml")
    assert Path(config.file).name == data.name
    with h5py.File(data, "r") as file:
        assert file[config.streams["lorenz"].path]["data"].shape == (100_000, 3)
        assert file[config.truth.path]["data"].shape == (100_000, 3)
        assert file[config.truth.reference]["data"].shape == (100_000, 3)
        assert file["processing/simulation/exponent/data"][:].tolist() == [config.truth.exponent]
