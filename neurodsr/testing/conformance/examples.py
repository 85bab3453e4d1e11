"""Made-up recordings for any modality: signals, labels, events and trials, with gaps in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import NeurodsrError
from neurodsr.modalities.base import Modality
from neurodsr.sources.base import Source
from neurodsr.testing.conformance.verdict import ContractError
from neurodsr.testing.fake_source import FakeSource, sampled, trains

LEVELS = ("left", "none", "right")


class Example(NamedTuple):
    """A source and the grid that its stream is put on."""

    source: Source
    grid: TimeGrid


class Clock(NamedTuple):
    """When samples are taken, s and Hz, and the grid that they are put on."""

    start: float
    stop: float
    rate: float
    grid: TimeGrid


# Samples lie half a sample off whole hundredths of a second, and so on no edge of a bin; the fast
# ones neither there nor half a sample from the middle of one.
USUAL = Clock(3.005, 15.0, 100.0, TimeGrid(start=3.5, bin_width=0.02, n_bins=500))
SLOW = Clock(0.25, 350.0, 1.0, TimeGrid(start=20.0, bin_width=0.5, n_bins=600))
FAST = Clock(3.0003, 15.0, 1000.0, USUAL.grid)


class Content(NamedTuple):
    """One kind of thing that a modality may expect at its path.

    `samples` makes values of drives; of `busy` events there are several in some bins.
    """

    name: str
    samples: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    unit: str
    clock: Clock = USUAL
    busy: bool = False


def example_for(modality: Modality) -> Example:
    """The first made-up recording that a modality does not refuse.

    A series, events and intervals lie together at the modality's path, so that whichever it reads
    is there. Tried in turn: a signal of 100 Hz, angles, labels, zeros and ones, sizes of rare
    events, a slow signal of five minutes, and a fast one of 1 kHz.

    Raises
    ------
    ContractError
        It refuses all of them; give the kit a `source` of your own then.
    """
    refusals = []
    for content in contents():
        example = example_of(content, modality.path)
        try:
            modality.load(example.source, example.grid)
        except NeurodsrError as error:
            refusals.append(f"{content.name}: {error.what}")
        else:
            return example
    raise ContractError(
        expected="load to accept a recording with a series, events and intervals at its path",
        found=f"that it refuses every one ({'; '.join(refusals)})",
        contract="Modality.load",
        fix="give the kit what the modality reads: source=FakeSource({...}), grid=TimeGrid(...)",
    )


def contents() -> tuple[Content, ...]:
    """The kinds of recordings, in the order in which they are tried."""
    return (
        Content("signal", _signal, "V", busy=True),
        Content("angles", _angles, "rad", busy=True),
        Content("labels", _labels, ""),
        Content("zeros and ones", _binary, ""),
        Content("sizes of rare events", _amounts, ""),
        Content("slow signal", _signal, "a.u.", clock=SLOW, busy=True),
        Content("fast signal", _signal, "V", clock=FAST, busy=True),
    )


def example_of(content: Content, path: str) -> Example:
    """The recording of one kind, with all that it holds at a path."""
    start, stop, rate, grid = content.clock
    generator = np.random.default_rng(0)
    drive = _drive(np.arange(start, stop, 1 / rate), slowness=USUAL.rate / rate)
    whole = sampled(content.samples(drive, generator), rate=rate, start=start, unit=content.unit)
    # Amplifiers lose no single samples: windows of a second at 1 kHz would all have lost some.
    held = _with_losses(whole, generator, single=0.0 if content.clock is FAST else 0.02)
    events = _busy_events(generator) if content.busy else _sparse_events(generator)
    rows = _rows(path.rsplit("/", 1)[-1], start, stop, 30 / rate)
    return Example(FakeSource({path: (held, events, rows)}), grid)


def _drive(
    times: Float[np.ndarray, " sample"], *, slowness: float = 1.0
) -> Float[np.ndarray, "sample 4"]:
    """Four mixtures of two slow rhythms, of unit variance: what drives the four channels."""
    t = 2 * np.pi * times / slowness
    rhythms = np.sqrt(2) * np.stack([np.sin(0.7 * t), np.cos(1.9 * t)], axis=1)
    angle = np.array([0.3, 1.2, 2.5, 4.0])
    return rhythms @ np.stack([np.cos(angle), np.sin(angle)])


def _signal(drive: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    noise = generator.normal(0, 0.4, drive.shape)
    return np.array([1.0, -4.0, 30.0, 0.0]) + np.array([2.0, 0.5, 10.0, 1.0]) * (drive + noise)


def _angles(drive: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    turned = np.array([0.0, 1.0, 3.0, -2.0]) + drive + generator.normal(0, 0.2, drive.shape)
    return np.angle(np.exp(1j * turned))


def _labels(drive: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.clip(np.round(1.5 + drive + generator.normal(0, 0.3, drive.shape)), 0, 3)


def _binary(drive: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return (drive + generator.normal(0, 0.5, drive.shape) > 0.5).astype(float)


def _amounts(drive: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    sizes = generator.gamma(2.0, 0.5, drive.shape)
    return np.where(generator.random(drive.shape) < 0.3 / (1 + np.exp(-drive)), sizes, 0.0)


def _with_losses(series: Series, generator: np.random.Generator, *, single: float) -> Series:
    """A fraction of single values lost here and there, and a tenth of one channel in one piece."""
    n = len(series.times)
    valid = generator.random(series.values.shape) >= single
    valid[int(0.5 * n) : int(0.6 * n), 1] = False
    return series._replace(values=np.where(valid, series.values, 0.0), valid=valid)


def _busy_events(generator: np.random.Generator) -> Events:
    """Spikes of four units, several in some bins; one of them was watched for a part only."""
    step = 0.001
    times = np.arange(3.0, USUAL.stop, step)
    rates = 25.0 * np.exp(0.6 * _drive(times))
    fired = generator.random(rates.shape) < rates * step
    jitter = generator.random(rates.shape) * step
    own = [times[fired[:, c]] + jitter[fired[:, c], c] for c in range(4)]
    return _watched(own)


def _sparse_events(generator: np.random.Generator) -> Events:
    """Events at least 25 ms apart: never two in a bin of the grid."""
    own = [
        3.0 + np.cumsum(0.025 + generator.exponential(mean, 2000))
        for mean in (0.05, 0.08, 0.1, 0.15)
    ]
    return _watched([times[times < USUAL.stop] for times in own])


def _watched(own: list[np.ndarray]) -> Events:
    """Channels 0 to 2 were watched throughout, the last until 11.513 s, which is on no edge."""
    stops = [USUAL.stop, USUAL.stop, USUAL.stop, 11.513]
    observed = [np.array([[3.0, stop]]) for stop in stops]
    return trains([t[t < stop] for t, stop in zip(own, stops, strict=True)], observed=observed)


def _rows(column: str, start: float, stop: float, length: float) -> Intervals:
    """Trials with a short pause between them, each with a label; one label is missing."""
    starts = np.arange(start, stop - length, 1.2 * length)
    codes = np.arange(len(starts)) * 7 % 5 % len(LEVELS)
    labels = np.array(LEVELS, dtype=object)[codes]
    labels[len(labels) // 3] = ""
    return Intervals(starts, starts + length, {column: labels.astype(str)})
