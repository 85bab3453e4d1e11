"""Plug-ins whose `load` gives nonsense, or raises: named, exit code 4, and nothing is written."""

import json

import pytest

from neurodsr.cli.main import run_command
from neurodsr.testing.sessions import demo_session
from neurodsr.testing.write_nwb import write_session

CLASS = """
from dataclasses import replace
from typing import Literal
import numpy as np
from neurodsr.data.lazy import lazy_pair
from neurodsr.modalities.behavior import Behavior

class Kind(Behavior):
    kind: Literal["gaze"] = "gaze"

    def load(self, source, grid):
        stream = super().load(source, grid)
        values, mask = stream.values, stream.mask
"""
LAZY = """
        def read(first, stop):
            return values[first:stop] * np.nan, mask[first:stop]
        lazy, seen = lazy_pair(read, shape=values.shape, dtype=np.float32)
        return replace(stream, values=lazy, mask=seen)
"""
BAD = {
    "nan": (
        "values[3, 0] = np.nan; return stream",
        "gave nan at 0.3 s in channel 'x', which is observed, and must be a finite float32",
    ),
    "lazy-nan": (
        LAZY,
        "gave nan at 0 s in channel 'x', which is observed, and must be a finite float32",
    ),
    "masked": (
        "mask[2, 1] = False; return stream",
        "at 0.2 s in channel 'y', which is masked, and must be 0",
    ),
    "mask": (
        "return replace(stream, mask=mask.astype(np.int64))",
        "gave a mask of int64, not of bool",
    ),
    "unit": ("return replace(stream, unit=None)", "gave a unit of None, not a text"),
    "bins": (
        "return replace(stream, values=values[1:], mask=mask[1:])",
        "gave 99 bins where the grid has 100",
    ),
    "shapes": ("return replace(stream, mask=mask[1:])", "do not belong together"),
    "dict": ("return {'values': values}", "gave a dict, not a Stream"),
    "none": ("return None", "gave a NoneType, not a Stream"),
    "raises": ("return values[:, 9]", "IndexError: index 9 is out of bounds"),
    "exits": ("import sys; sys.exit('no license')", "SystemExit: no license"),
}


@pytest.fixture(scope="module")
def session_file(tmp_path_factory):
    """A short simulated session."""
    path = tmp_path_factory.mktemp("session") / "demo.nwb"
    write_session(path, demo_session(seed=0, n_bins=500, n_units=3, n_reference=400))
    return path


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("bad", BAD)
def test_an_ingest_exits_4_and_names_stream_package_version_and_reason(
    install, session_file, tmp_path, capsys, bad
):
    code, said = BAD[bad]
    install("lab-gaze", f"{CLASS}        {code}\n", kind="gaze", what="Kind")
    plain = {
        "schema_version": 1,
        "file": str(session_file),
        "grid": {"bin_width": 0.1, "start": 0.0, "stop": 10.0},
        "streams": {"eye": {"kind": "gaze", "path": "processing/behavior/Position/position"}},
    }
    (tmp_path / "run.yaml").write_text(json.dumps(plain), encoding="utf-8")
    assert run_command(["ingest", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "rec")]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: stream 'eye', kind 'gaze' of lab-gaze 1.2: loading " in err
    assert said in err
    assert "fix: report it to the package's authors" in err
    assert not (tmp_path / "rec").exists()
