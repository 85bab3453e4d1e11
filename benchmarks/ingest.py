"""Sources and ingest, measured against what the machine itself can do.

    python benchmarks/ingest.py counts --out /tmp/bench
    python benchmarks/ingest.py ingest band-power gzip inspect --out /tmp/bench --scale 0.1

Prints one JSON line a row: seconds of each thing that is compared, taken in turn within one run,
and their ratios with the bounds that they must keep. `--scale` shrinks the files for a quick look;
the bounds are for 1. The files are removed afterwards unless `--keep`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import h5py
import numpy as np
from measuring import bounded, in_turn, peak_resident, resident
from synthetic_files import spike_trains, write_objects, write_signal, write_units

from neurodsr.data.band_power import band_power
from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid
from neurodsr.sources.chunks import read_rows
from neurodsr.sources.open import open_source

DURATION, N_UNITS, N_SPIKES, BIN_WIDTH = 3600.0, 500, 17_030_000, 0.01
N_SAMPLES, N_CHANNELS, RATE, SLAB = 2_596_864, 384, 2500.0, 32_768
BAND, WINDOW, POWER_BIN = (70.0, 150.0), 0.1, 0.1
GIB_NEEDED = 8


def in_child(row: str, arguments: argparse.Namespace) -> dict[str, float]:
    """What a fresh process measures, whose memory and imports are its own."""
    command = [sys.executable, __file__, row, "--out", str(arguments.out.parent), "--keep"]
    command += ["--scale", str(arguments.scale)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def file_of(arguments: argparse.Namespace, name: str) -> Path:
    """Where a file of this scale lies."""
    return arguments.out / f"{name}-{arguments.scale:g}.nwb"


# ---- counts


def spikes_of(arguments: argparse.Namespace) -> tuple[Path, TimeGrid]:
    """The file of spikes, written once, and the grid they are counted on."""
    path, duration = file_of(arguments, "spikes"), DURATION * arguments.scale
    if not path.exists():
        n_spikes = int(N_SPIKES * arguments.scale)
        write_units(path, *spike_trains(n_units=N_UNITS, n_spikes=n_spikes, duration=duration))
    return path, TimeGrid.spanning(0.0, duration, BIN_WIDTH)


def read_spikes(path: Path) -> Events:
    with h5py.File(path) as file:
        times, ends = file["units/spike_times"][:], file["units/spike_times_index"][:]
    channels = Channels(tuple(map(str, range(len(ends)))))
    return Events(times, np.concatenate([[0], ends]).astype(np.int64), channels, None)


def counts(arguments: argparse.Namespace) -> dict[str, object]:
    """Counting beside pynapple, and beside reading the times and writing the counts."""
    import pynapple

    path, grid = spikes_of(arguments)
    events = read_spikes(path)
    trains = np.split(events.times, events.offsets[1:-1])
    support = pynapple.IntervalSet(grid.start, grid.stop)
    group = pynapple.TsGroup(
        {c: pynapple.Ts(t) for c, t in enumerate(trains)}, time_support=support
    )
    found = grid.count(events)

    def read_and_write() -> None:
        read_spikes(path)
        np.save(arguments.out / "counts.npy", found)

    seconds = in_turn(
        arguments.rounds,
        count=lambda: grid.count(events),
        read_and_write=read_and_write,
        pynapple=lambda: group.count(BIN_WIDTH),
    )
    expected = np.stack([np.diff(np.searchsorted(t, grid.edges)) for t in trains], axis=1)
    memory = in_child("count-memory", arguments)
    return {
        "n_spikes": len(events.times),
        "equals_search": bool(np.array_equal(found, expected)),
        "seconds": seconds,
        **bounded(
            {
                "pynapple_over_count": (seconds["pynapple"] / seconds["count"], ">=", 20),
                "count_over_read_and_write": (
                    seconds["count"] / seconds["read_and_write"], "<=", 3,
                ),
                "memory_over_input_and_output": (memory["ratio"], "<=", 2.5),
            }
        ),
    }  # fmt: skip


def count_memory(arguments: argparse.Namespace) -> dict[str, float]:
    """Resident memory that reading and counting add, over that of times and counts."""
    path, grid = spikes_of(arguments)
    before = resident()
    events = read_spikes(path)
    found = grid.count(events)
    return {"ratio": (peak_resident() - before) / (events.times.nbytes + found.nbytes)}


# ---- the whole command


def ingest(arguments: argparse.Namespace) -> dict[str, object]:
    """`neurodsr ingest` of the spikes, from the configuration to the recording on disk."""
    path, _ = spikes_of(arguments)
    (arguments.out / "run.yaml").write_text(
        f"schema_version: 1\nfile: {path.name}\n"
        f"grid: {{bin_width: {BIN_WIDTH}}}\nstreams: {{units: {{kind: spikes}}}}\n"
    )
    seconds = [in_child("ingest-once", arguments)["seconds"] for _ in range(arguments.rounds)]
    return {"seconds": seconds, **bounded({"ingest": (min(seconds), "<=", 6)})}


def ingest_once(arguments: argparse.Namespace) -> dict[str, float]:
    """The command in a process that has imported what it needs before."""
    import neurodsr.cli.steps
    import neurodsr.ingest.ingest
    from neurodsr.modalities.registry import list_plugins

    list_plugins()
    out = arguments.out / "spikes.zarr"
    began = perf_counter()
    neurodsr.cli.steps.ingest.main(
        [str(arguments.out / "run.yaml"), "-o", str(out), "--workers", "2", "--force"],
        standalone_mode=False,
    )
    return {"seconds": perf_counter() - began, "peak_mib": peak_resident() / 2**20}


# ---- signals


def signal_of(arguments: argparse.Namespace, name: str, **layout: object) -> Path:
    path = file_of(arguments, name)
    if not path.exists():
        n = int(N_SAMPLES * arguments.scale)
        write_signal(path, n_samples=n, n_channels=N_CHANNELS, rate=RATE, **layout)
    return path


def read_slabs(path: Path, read: Callable[[h5py.Dataset, int, int], np.ndarray]) -> None:
    with h5py.File(path) as file:
        data = file["acquisition/lfp/data"]
        for first in range(0, len(data), SLAB):
            read(data, first, min(first + SLAB, len(data)))


def by_hdf5(data: h5py.Dataset, first: int, last: int) -> np.ndarray:
    return data[first:last]


def all_power(path: Path) -> None:
    with open_source(path) as source:
        series = source.series("acquisition/lfp")
        grid = TimeGrid.spanning(0.0, len(series.times) / RATE, POWER_BIN)
        values, mask = band_power(series, grid, band=BAND, window=WINDOW)
        for first in range(0, grid.n_bins, 1024):
            values[first : first + 1024], mask[first : first + 1024]


def band_power_row(arguments: argparse.Namespace) -> dict[str, object]:
    """Band power of a signal beside reading it."""
    path = signal_of(arguments, "signal")
    seconds = in_turn(
        arguments.rounds,
        read=lambda: read_slabs(path, by_hdf5),
        band_power=lambda: all_power(path),
    )
    ratio = seconds["band_power"] / seconds["read"]
    return {
        "gib": path.stat().st_size / 2**30,
        "seconds": seconds,
        **bounded({"band_power_over_read": (ratio, "<=", 2)}),
    }


def gzip(arguments: argparse.Namespace) -> dict[str, object]:
    """Reading a compressed signal with threads that inflate beside HDF5 alone."""
    path = signal_of(arguments, "signal-gzip", compression="gzip", compression_opts=1)
    seconds = in_turn(
        arguments.rounds,
        hdf5=lambda: read_slabs(path, by_hdf5),
        threads=lambda: read_slabs(path, read_rows),
    )
    return {
        "gib": path.stat().st_size / 2**30,
        "seconds": seconds,
        **bounded({"hdf5_over_threads": (seconds["hdf5"] / seconds["threads"], ">=", 1.5)}),
    }


# ---- inspect


def inspect(arguments: argparse.Namespace) -> dict[str, object]:
    """`inspect` of a file with ten thousand objects."""
    path = file_of(arguments, "objects")
    if not path.exists():
        write_objects(path, n_objects=int(10_000 * arguments.scale))
    seconds = [in_child("inspect-once", arguments)["seconds"] for _ in range(arguments.rounds)]
    return {"seconds": seconds, **bounded({"inspect": (min(seconds), "<=", 3)})}


def inspect_once(arguments: argparse.Namespace) -> dict[str, float]:
    from neurodsr.ingest.inspect import inspect_file

    few = arguments.out / "few-objects.nwb"
    write_objects(few, n_objects=3)
    inspect_file(few)  # imports are not what is measured
    began = perf_counter()
    found = inspect_file(file_of(arguments, "objects"))
    return {"seconds": perf_counter() - began, "n_streams": len(found.streams)}


ROWS = {
    "counts": counts,
    "ingest": ingest,
    "band-power": band_power_row,
    "gzip": gzip,
    "inspect": inspect,
    "count-memory": count_memory,
    "ingest-once": ingest_once,
    "inspect-once": inspect_once,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", choices=ROWS, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="leave the files for the next time")
    arguments = parser.parse_args()
    # A folder of its own: nothing else that lies in --out is ever removed.
    arguments.out = arguments.out / "neurodsr-benchmark"
    arguments.out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(arguments.out).free / 2**30
    if free < GIB_NEEDED * arguments.scale:
        parser.error(f"{free:.1f} GiB are free in {arguments.out}; {GIB_NEEDED} are needed")
    for row in arguments.rows:
        measured = ROWS[row](arguments)
        print(
            json.dumps({"row": row, "scale": arguments.scale, "cores": os.cpu_count(), **measured}),
            flush=True,
        )
    if not arguments.keep:
        shutil.rmtree(arguments.out)


if __name__ == "__main__":
    main()
