"""Write the recording that lfp.yaml reads: a Lorenz-63 state that sets the power of two rhythms.

Usage: python lfp_data.py [PATH]; the default is lfp.nwb beside this script.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ecephys import LFP, ElectricalSeries

from neurodsr.testing.lorenz import EXPONENT, lorenz63, standardize
from neurodsr.testing.sensors import directions
from neurodsr.testing.sessions import SimulatedSession
from neurodsr.testing.write_nwb import TIPS, write_session

RATE = 500.0  # Hz
BIN_WIDTH = 0.1  # s
UNIT_TIME = 3.0  # s; one Lorenz time unit, so that a turn lasts some twenty bins
RHYTHMS = {"beta": (15.0, 30.0), "gamma": (40.0, 100.0)}  # Hz
AMPLITUDE, BACKGROUND = (
    20e-6,
    10e-6,
)  # V; sd of a rhythm at the mean state, and of what is no rhythm
DEPTH = 0.8  # sd of the log of a rhythm's power: 3.5 dB
COUNT = 1e-7  # V; what one step of the converter stands for
REGIONS = ("VISp", "CA1")


def simulate(path: Path, *, n_bins: int, n_electrodes: int = 12, seed: int = 0) -> None:
    orbit, second, tuning, noise = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    dt = BIN_WIDTH / UNIT_TIME
    state = standardize(lorenz63(n_bins, dt=dt, generator=orbit, substeps=4))
    reference = standardize(lorenz63(n_bins, dt=dt, generator=second, substeps=4))
    session = SimulatedSession(
        id=f"lfp-seed-{seed}",
        description="Simulated: a Lorenz-63 latent sets the power of two rhythms in field "
        f"potentials of {n_electrodes} electrodes.",
        seed=seed,
        bin_width=BIN_WIDTH,
        state=state,
        reference=reference,
        exponent=EXPONENT / UNIT_TIME,
    )
    write_session(path, session)
    potentials = field_potentials(state, n_electrodes, tuning=tuning, noise=noise)
    with NWBHDF5IO(path, mode="a") as io:
        nwbfile = io.read()
        add_electrodes(nwbfile, n_electrodes)
        add_potentials(nwbfile, potentials)
        io.write(nwbfile)


def field_potentials(
    state: np.ndarray, n_electrodes: int, *, tuning: np.random.Generator, noise: np.random.Generator
) -> np.ndarray:
    """Rhythms whose log power is linear in the state, in a background of 1/f; V."""
    n = round(len(state) * BIN_WIDTH * RATE)
    centers = (np.arange(len(state)) + 0.5) * BIN_WIDTH
    times = (np.arange(n) + 0.5) / RATE
    fine = np.stack([np.interp(times, centers, z) for z in state.T], axis=1)
    shape = (n, n_electrodes)
    total = BACKGROUND * shaped_noise(shape, lambda f: 1 / np.sqrt(f), noise)
    for low, high in RHYTHMS.values():
        log_power = DEPTH * fine @ directions(n_electrodes, state.shape[1], generator=tuning).T
        rhythm = shaped_noise(shape, lambda f, a=low, b=high: (a <= f) & (f <= b), noise)
        total += AMPLITUDE * np.exp(log_power / 2) * rhythm
    return total


def shaped_noise(
    shape: tuple[int, int],
    gain: Callable[[np.ndarray], np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Gaussian noise of variance 1 whose spectrum has the given amplitude at each frequency, Hz."""
    frequencies = np.fft.rfftfreq(shape[0], 1 / RATE)
    amplitude = np.concatenate([[0.0], gain(frequencies[1:])])
    columns = []
    for _ in range(shape[1]):
        spectrum = np.fft.rfft(generator.normal(size=shape[0])) * amplitude
        column = np.fft.irfft(spectrum, n=shape[0])
        columns.append(column / column.std())
    return np.stack(columns, axis=1)


def add_electrodes(nwbfile: NWBFile, n_electrodes: int) -> None:
    device = nwbfile.create_device(name="probe", description="A simulated silicon probe.")
    for i in range(n_electrodes):
        region = REGIONS[i * len(REGIONS) // n_electrodes]
        if region not in nwbfile.electrode_groups:
            nwbfile.create_electrode_group(
                name=region, description=f"Sites in {region}.", location=region, device=device
            )
        x, y, z = TIPS[region]
        group = nwbfile.electrode_groups[region]
        nwbfile.add_electrode(x=x, y=y + 50.0 * i, z=z, location=region, group=group)


def add_potentials(nwbfile: NWBFile, potentials: np.ndarray) -> None:
    everything = list(range(potentials.shape[1]))
    series = ElectricalSeries(
        name="lfp",
        data=np.round(potentials / COUNT).astype(np.int16),
        electrodes=nwbfile.create_electrode_table_region(everything, "all electrodes"),
        conversion=COUNT,
        starting_time=0.5 / RATE,
        rate=RATE,
        description="Field potentials: two rhythms whose power follows the state.",
    )
    module = nwbfile.create_processing_module(name="ecephys", description="Field potentials.")
    module.add(LFP(electrical_series=series))


def main() -> None:
    beside = Path(__file__).with_name("lfp.nwb")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    simulate(path, n_bins=20_000)
    print(f"wrote {path}: 2000 s at {RATE:g} Hz; now: neurodsr run lfp.yaml -o out/")


if __name__ == "__main__":
    main()
