"""`neurodsr ingest` killed at any moment leaves a whole recording or none, and a rerun the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from neurodsr.storage.manifest import check_manifest, folder_digest

N_KILLS = 20
N_SAMPLES, N_CHANNELS, RATE = 400_000, 24, 1000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file with a signal large enough to be staged (77 MB as numbers), and its configuration."""
    folder = tmp_path_factory.mktemp("killed")
    rng = np.random.default_rng(5)
    with h5py.File(folder / "lfp.nwb", "w") as file:
        file.attrs.update(nwb_version="2.7.0", neurodata_type="NWBFile", namespace="core")
        file["identifier"], file["session_start_time"] = "lfp", "2025-01-01T00:00:00+00:00"
        group = file.create_group("acquisition/lfp")
        group.attrs.update(neurodata_type="TimeSeries", namespace="core")
        raw = rng.integers(-1000, 1000, size=(N_SAMPLES, N_CHANNELS)).astype(np.int16)
        data = group.create_dataset("data", data=raw, chunks=(8192, N_CHANNELS))
        data.attrs.update(conversion=1e-6, unit="volts")
        group.create_dataset("starting_time", data=0.0).attrs.update(rate=RATE, unit="seconds")
    config = {
        "schema_version": 1,
        "file": "lfp.nwb",
        "grid": {"bin_width": 0.004},
        "streams": {"lfp": {"kind": "behavior", "path": "acquisition/lfp"}},
    }
    (folder / "run.yaml").write_text(json.dumps(config), encoding="utf-8")
    return folder


def start(folder, out):
    return subprocess.Popen(
        [sys.executable, "-m", "neurodsr", "ingest", "run.yaml", "-o", str(out), "--workers", "1"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(folder, out):
    process = start(folder, out)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()


@pytest.mark.slow
def test_no_moment_to_be_killed_at_leaves_half_a_recording_or_another_one(folder):
    began = time.monotonic()
    finish(folder, folder / "whole.zarr")
    usual = time.monotonic() - began
    wanted = folder_digest(folder / "whole.zarr")
    moments, out = random.Random(7), folder / "killed.zarr"
    for _ in range(N_KILLS):
        process = start(folder, out)
        try:
            process.wait(moments.uniform(0.2, 1.0) * usual)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stderr.close()
        if out.exists():
            check_manifest(out)
            assert folder_digest(out) == wanted
            out.rename(folder / f"done-{len(list(folder.glob('done-*')))}")
    finish(folder, out)
    assert folder_digest(out) == wanted
    assert not list(folder.glob("killed.zarr.*"))
