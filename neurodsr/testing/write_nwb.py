"""A simulated session as a valid NWB file, truth included, the same bytes for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import h5py
import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries
from pynwb.file import Subject
from pynwb.misc import Units

from neurodsr.errors import OutputError
from neurodsr.testing.sessions import LEVELS, SimulatedSession

STARTED = datetime(2025, 1, 15, 12, 0, tzinfo=UTC)
"""Nominal start of every simulated session: fixed, so that files repeat."""

TIPS = {
    "VISp": (8900.0, 900.0, 8300.0),
    "CA1": (7700.0, 1700.0, 7600.0),
    "MOs": (3500.0, 1400.0, 7000.0),
}
"""Uppermost electrode of each region, µm: posterior, inferior and right in the Allen CCFv3 mouse
brain. Approximate places of our choice, so that maps of the demo look like a brain."""


def write_session(path: str | Path, session: SimulatedSession) -> None:
    """Write a simulated session as an NWB file that passes validation.

    What the session records goes where a lab would put it (/units, processing/behavior); the
    truth goes to processing/simulation: `state`, `reference` and `exponent`. The file appears
    complete or not at all, and replaces an older one.

    Raises
    ------
    OutputError
        The folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(
            f"folder {str(path.parent)!r} does not exist",
            where=str(path),
            fix=f"create it first (mkdir -p {path.parent}) or choose another",
        )
    partial = path.with_name(f".partial-{path.name}")
    try:
        with NWBHDF5IO(partial, mode="w") as io:
            io.write(_build(session))
        _fix_object_ids(partial, session.id)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _build(session: SimulatedSession) -> NWBFile:
    nwbfile = NWBFile(
        session_description=session.description,
        identifier=str(uuid5(NAMESPACE_URL, session.id)),
        session_id=session.id,
        session_start_time=STARTED,
        file_create_date=STARTED,
        experimenter=["Lorenz, Edward"],
        institution="Simulated",
        lab="neurodsr",
        keywords=["simulation", "Lorenz-63", "dynamical systems reconstruction"],
        experiment_description="A recording of a system whose latent state is known.",
    )
    nwbfile.subject = Subject(
        subject_id=f"simulated-{session.seed}",
        description="A simulated mouse.",
        species="Mus musculus",
        sex="F",
        age="P90D",
    )
    if session.spikes:
        _add_units(nwbfile, session)
    _add_behavior(nwbfile, session)
    _add_truth(nwbfile, session)
    return nwbfile


def _add_units(nwbfile: NWBFile, session: SimulatedSession) -> None:
    """One electrode a neuron, 20 µm apart, in one group a region."""
    nwbfile.units = Units(
        name="units", description="Simulated neurons, one an electrode.", resolution=1e-9
    )
    device = nwbfile.create_device(name="probe", description="A simulated silicon probe.")
    for region in dict.fromkeys(session.regions):
        nwbfile.create_electrode_group(
            name=region, description=f"Sites in {region}.", location=region, device=device
        )
    for i, (region, times) in enumerate(zip(session.regions, session.spikes, strict=True)):
        x, y, z = TIPS[region]
        depth = 20.0 * (i - session.regions.index(region))
        group = nwbfile.electrode_groups[region]
        nwbfile.add_electrode(x=x, y=y + depth, z=z, location=region, group=group)
        nwbfile.add_unit(spike_times=times, obs_intervals=[[0.0, session.duration]], electrodes=[i])
    nwbfile.units["spike_times"].target.set_data_io(H5DataIO, _storage())


def _add_behavior(nwbfile: NWBFile, session: SimulatedSession) -> None:
    module = nwbfile.create_processing_module(
        name="behavior", description="What the animal did, one sample a bin."
    )
    if session.position is not None:
        module.add(Position(spatial_series=_position(session)))
    if session.choice is not None:
        names = ", ".join(f"{code} = {level}" for code, level in enumerate(LEVELS))
        codes = session.choice.astype(np.int8)
        choice = _series("choice", codes, f"Choice at each moment: {names}.", session)
        module.add(BehavioralTimeSeries(time_series=choice))
    if session.direct is not None:
        text = "State of the Lorenz-63 system, standardized, with measurement noise."
        module.add(_series("lorenz", session.direct, text, session))


def _position(session: SimulatedSession) -> SpatialSeries:
    return SpatialSeries(
        name="position",
        description="Position of the animal: a noisy view of the latent state.",
        data=H5DataIO(session.position, **_storage()),
        reference_frame="Origin at the center of the arena, axes along its walls.",
        unit="meters",
        **_clock(session),
    )


def _add_truth(nwbfile: NWBFile, session: SimulatedSession) -> None:
    module = nwbfile.create_processing_module(
        name="simulation", description="The truth behind the session, to judge and never to train."
    )
    state = "True latent state, standardized over the attractor."
    module.add(_series("state", session.state, state, session))
    reference = "An independent orbit of the same system, sampled alike; its clock is its own."
    module.add(_series("reference", session.reference, reference, session))
    exponent = TimeSeries(
        name="exponent",
        description="largest Lyapunov exponent, 1/s, of the simulated system in recording time",
        data=[session.exponent],
        timestamps=[0.0],
        unit="1/s",
    )
    module.add(exponent)


def _series(name: str, data: np.ndarray, description: str, session: SimulatedSession) -> TimeSeries:
    return TimeSeries(
        name=name,
        description=description,
        data=H5DataIO(data, **_storage()),
        unit="n.a.",
        **_clock(session),
    )


def _clock(session: SimulatedSession) -> dict[str, float]:
    """Samples lie at bin centers, so that the average over a bin is its one sample."""
    return {"starting_time": session.bin_width / 2, "rate": 1 / session.bin_width}


def _storage() -> dict[str, object]:
    return {"compression": "gzip", "compression_opts": 4, "shuffle": True, "chunks": True}


def _fix_object_ids(path: Path, name: str) -> None:
    """Replace pynwb's random object ids by ids made of the session's name and the object's path."""
    with h5py.File(path, "r+") as file:

        def fix(where: str, item: h5py.Group | h5py.Dataset) -> None:
            if "object_id" in item.attrs:
                item.attrs.modify("object_id", str(uuid5(NAMESPACE_URL, f"{name}/{where}")))

        fix("", file)
        file.visititems(fix)
