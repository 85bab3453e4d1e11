"""Random damage to small recordings ends in a reading or in an error that explains itself."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from neurodsr.errors import DataError, NeurodsrError
from neurodsr.sources.open import open_source

SECONDS = 20
MEMORY = 8 * 2**30
N_NWB, N_ZARR = 300, 100


def read_everything(path: Path) -> int:
    """Open a recording, list it and read all that is listed; how many streams were refused."""
    refused = 0
    with open_source(path) as source:
        source.session()
        for entry in source.list_streams():
            try:
                loaded = getattr(source, entry.kind)(entry.path)
                for array in loaded:
                    if hasattr(array, "shape"):
                        np.asarray(array)
            except NeurodsrError:
                refused += 1
        source.invalid()
        source.inputs()
    return refused


def mutate(original: Path, copy: Path, seed: int) -> None:
    """Write a copy in which 1 to 64 random bytes, of one file of a folder, are others."""
    rng = random.Random(seed)
    target = copy
    if original.is_dir():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        target = rng.choice(sorted(p for p in copy.rglob("*") if p.is_file()))
    else:
        shutil.copy(original, copy)
    damaged = bytearray(target.read_bytes())
    for _ in range(rng.randint(1, 64)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    target.write_bytes(damaged)


def child(original: str, scratch: str, first: int, stop: int) -> None:
    """Read one mutation after the other, and print what came of each as soon as it is known."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    copy = Path(scratch) / Path(original).name
    for seed in range(first, stop):
        print(seed, end=" ", flush=True)
        mutate(Path(original), copy, seed)
        # A hang ends this process by a signal, which its parent sees; a busy machine is no hang.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            outcome = f"read, {read_everything(copy)} streams refused"
        except NeurodsrError as error:
            outcome = f"refused: {type(error).__name__}"
        except Exception as error:
            outcome = f"FAILED {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(outcome, flush=True)


def outcomes(original: Path, scratch: Path, n: int) -> dict[int, str]:
    """What came of each seed; a new child goes on where one has died."""
    scratch.mkdir()
    found: dict[int, str] = {}
    while len(found) < n:
        done = subprocess.run(
            [sys.executable, __file__, str(original), str(scratch), str(len(found)), str(n)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30 * SECONDS,
        )
        for line in done.stdout.splitlines():
            seed, _, outcome = line.partition(" ")
            found[int(seed)] = outcome or f"FAILED: process ended with {done.returncode}"
        assert done.stdout, done.stderr[-2000:]
    return found


@pytest.fixture
def nwb_file(tmp_path) -> Path:
    """Units with electrodes, two series and trials; no cached schema, which would be most of it."""
    rng = np.random.default_rng(0)
    nwbfile = NWBFile("A small session.", "mutated", datetime(2025, 1, 15, 12, tzinfo=UTC))
    group = nwbfile.create_electrode_group(
        "shank", description="A shank.", location="CA1", device=nwbfile.create_device("probe")
    )
    for i in range(3):
        nwbfile.add_electrode(x=float(i), y=2.0, z=3.0, location="CA1", group=group)
    nwbfile.add_unit_column("quality", "How well it was isolated.")
    for i in range(4):
        nwbfile.add_unit(
            spike_times=np.sort(rng.uniform(0, 10, 30)),
            obs_intervals=[[0.0, 10.0]],
            electrodes=[i % 3],
            quality="good",
        )
    speed, times = rng.normal(size=(200, 2)), np.arange(200) / 20
    nwbfile.add_acquisition(TimeSeries(name="speed", data=speed, unit="m/s", rate=20.0))
    nwbfile.add_acquisition(TimeSeries(name="x", data=speed[:, 0], unit="m", timestamps=times))
    nwbfile.add_trial_column("choice", "What it chose.")
    for i in range(8):
        nwbfile.add_trial(start_time=float(i), stop_time=i + 0.8, choice="left")
    with NWBHDF5IO(tmp_path / "session.nwb", "w") as io:
        io.write(nwbfile, cache_spec=False)
    return tmp_path / "session.nwb"


@pytest.fixture
def zarr_folder(tmp_path) -> Path:
    """A signal, spikes and trials in Zarr format 2, without NWB."""
    rng = np.random.default_rng(0)
    root = zarr.open_group(tmp_path / "session.zarr", mode="w", zarr_format=2)
    speed = root.create_group("speed", attributes={"rate": 20.0, "unit": "m/s"})
    speed.create_array("values", data=rng.normal(size=(200, 2)), chunks=(64, 2))
    spikes = root.create_group("spikes", attributes={"channel_ids": ["a", "b"]})
    spikes.create_array("times", data=np.sort(rng.uniform(0, 10, 40)))
    spikes.create_array("channels", data=rng.integers(0, 2, 40))
    trials = root.create_group("trials")
    trials.create_array("starts", data=np.arange(8.0))
    trials.create_array("stops", data=np.arange(8.0) + 0.8)
    return tmp_path / "session.zarr"


@pytest.mark.parametrize(("kind", "n"), [("nwb_file", N_NWB), ("zarr_folder", N_ZARR)])
def test_damage_never_ends_in_a_crash_a_hang_or_a_bare_exception(kind, n, tmp_path, request):
    found = outcomes(request.getfixturevalue(kind), tmp_path / "scratch", n)
    assert {seed: o for seed, o in found.items() if o.startswith("FAILED")} == {}
    assert len(found) == n
    assert any(o.startswith("read") for o in found.values())
    assert any(o.startswith("refused") for o in found.values())


@pytest.mark.parametrize("name", ["nwb_version", "description"])
def test_a_text_turned_into_a_sequence_is_refused_since_reading_it_ends_the_process(name, nwb_file):
    with h5py.File(nwb_file, "r+") as file:
        owner = file if name == "nwb_version" else file["acquisition/speed"]
        del owner.attrs[name]
        sequences = np.empty(1, dtype=object)
        sequences[0] = np.arange(5, dtype=np.uint8)
        owner.attrs.create(name, sequences, dtype=h5py.vlen_dtype(np.uint8))
    with pytest.raises(DataError, match=r"sequences of variable length.*\n  fix: copy or download"):
        read_everything(nwb_file)


def test_a_length_of_a_million_absent_chunks_is_refused_since_each_would_be_looked_for(nwb_file):
    with h5py.File(nwb_file, "r+") as file:
        del file["intervals/trials/start_time"]
        file.create_dataset("intervals/trials/start_time", (8 * 10**6,), "f8", chunks=(8,))
    with pytest.raises(DataError, match=r"1000000 chunks .*\n  fix: write the dataset again"):
        read_everything(nwb_file)


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
