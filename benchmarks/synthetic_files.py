"""Files of known size for `benchmarks/ingest.py`: spikes, a wide signal, many objects."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from hdmf.common import VectorData, VectorIndex
from pynwb import NWBHDF5IO, NWBFile
from pynwb.misc import Units

STARTED = datetime(2025, 1, 15, 12, 0, tzinfo=UTC)


def spike_trains(*, n_units: int, n_spikes: int, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Poisson units of log-normal rates: times unit by unit, and where each unit's begin."""
    rng = np.random.default_rng(0)
    rates = rng.lognormal(2.0, 0.7, n_units)
    numbers = rng.poisson(rates * n_spikes / rates.sum())
    trains = [np.sort(rng.random(n)) * duration for n in numbers]
    return np.concatenate(trains), np.concatenate([[0], np.cumsum(numbers)])


def write_units(path: Path, times: np.ndarray, offsets: np.ndarray) -> None:
    """A units table with nothing but spike times, as pynwb writes it."""
    column = VectorData(name="spike_times", description="s", data=times)
    index = VectorIndex(name="spike_times_index", data=offsets[1:], target=column)
    nwbfile = _session("spikes")
    nwbfile.units = Units(
        name="units", description="units", columns=[column, index], id=list(range(len(offsets) - 1))
    )
    with NWBHDF5IO(path, mode="w") as io:
        io.write(nwbfile)


def write_signal(path: Path, *, n_samples: int, n_channels: int, rate: float, **layout) -> None:
    """An ElectricalSeries of int16 noise in chunks of 8192 samples by 64 channels."""
    with NWBHDF5IO(path, mode="w") as io:
        io.write(_session("signal"))
    rng = np.random.default_rng(0)
    with h5py.File(path, "a") as file:
        group = _typed(file["acquisition"].create_group("lfp"), "ElectricalSeries")
        data = group.create_dataset(
            "data", (n_samples, n_channels), dtype="<i2", chunks=(8192, 64), **layout
        )
        data.attrs.update({"unit": "volts", "conversion": 1e-6, "offset": 0.0})
        start = group.create_dataset("starting_time", data=0.0)
        start.attrs.update({"rate": rate, "unit": "seconds"})
        for first in range(0, n_samples, 8192):
            n = min(8192, n_samples - first)
            # Slow noise, which compresses about as well as a real recording.
            steps = rng.integers(-20, 21, size=(n, n_channels), dtype=np.int16)
            data[first : first + n] = np.cumsum(steps, axis=0, dtype=np.int16)


def write_objects(path: Path, *, n_objects: int) -> None:
    """Many small TimeSeries, one for each neuron, as some labs write them."""
    with NWBHDF5IO(path, mode="w") as io:
        io.write(_session("objects"))
    with h5py.File(path, "a") as file:
        for i in range(n_objects):
            group = _typed(file["acquisition"].create_group(f"neuron_{i:05d}"), "TimeSeries")
            data = group.create_dataset("data", data=np.arange(20.0) * i)
            data.attrs.update({"unit": "a.u.", "conversion": 1.0, "offset": 0.0})
            start = group.create_dataset("starting_time", data=0.0)
            start.attrs.update({"rate": 10.0, "unit": "seconds"})


def _session(name: str) -> NWBFile:
    return NWBFile(session_description=name, identifier=name, session_start_time=STARTED)


def _typed(group: h5py.Group, kind: str) -> h5py.Group:
    group.attrs.update({"neurodata_type": kind, "namespace": "core"})
    group.attrs.update({"description": "synthetic", "comments": "none"})
    return group
