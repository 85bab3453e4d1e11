"""The aligned, masked data of a session: streams and segments on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.data.truth import Truth


@dataclass(frozen=True, repr=False)
class Recording:
    """All streams of a session on one clock, with everything that ingest repaired or dropped.

    Parameters
    ----------
    id
        Name of the session, from the file.
    grid
        The clock that every stream shares.
    streams
        By the lab's own name of the stream.
    segments
        Contiguous stretches, s; no window crosses an edge.
    inputs
        Stimuli s_t on the same grid, or None.
    sessions
        The session and subject that each segment came from.
    notes
        Everything ingest repaired or dropped; the report prints it.
    source
        Name and sha256 of the file it came from.
    truth
        The system behind it, where it is simulated.
    """

    id: str
    grid: TimeGrid
    streams: Mapping[str, Stream]
    segments: Intervals
    inputs: Stream | None = None
    sessions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: Mapping[str, str] | None = None
    truth: Truth | None = None

    def __repr__(self) -> str:
        grid = self.grid
        bins = f"{grid.n_bins} bins of {grid.bin_width:g} s from {grid.start:g} s"
        head = f"Recording {self.id!r}: {bins}"
        streams = [f"  {name}: {stream!r}" for name, stream in self.streams.items()]
        inputs = [] if self.inputs is None else [f"  inputs: {self.inputs!r}"]
        n, m = len(self.segments.starts), len(self.notes)
        return "\n".join([head, *streams, *inputs, f"  {n} segments, {m} notes"])

    def __post_init__(self) -> None:
        for name, stream in self.streams.items():
            if stream.n_bins != self.grid.n_bins:
                raise AssertionError(
                    f"stream {name!r} has {stream.n_bins} bins, the grid {self.grid.n_bins}"
                )
