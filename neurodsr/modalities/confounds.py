"""Nuisance regressors, such as head motion, taken out of a signal before anything else is done."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.streams import Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import Source

STILL = 1e-9
"""Range of a regressor, in its largest size, below which it counts as constant: rounding."""
VOLUMES_A_WEIGHT = 2
"""Volumes that there must be for each weight that is fitted (our own choice)."""
SHOWN = 5


class Regressors(NamedTuple):
    """Nuisance regressors at the volumes of a run; `valid` is False where one is not known."""

    values: Float[np.ndarray, "volume regressor"]
    valid: Bool[np.ndarray, "volume regressor"]
    ids: tuple[str, ...]

    def keep(self, which: Bool[np.ndarray, " regressor"]) -> Regressors:
        """Some of them."""
        ids = tuple(name for name, kept in zip(self.ids, which, strict=True) if kept)
        return Regressors(self.values[:, which], self.valid[:, which], ids)


def read_regressors(
    source: Source, names: tuple[str, ...], times: Float[np.ndarray, " volume"]
) -> Regressors:
    """The regressors that a configuration names, at the times of the volumes.

    Between the samples of a series on another clock lines are drawn; before its first and after
    its last valid sample nothing is known.

    Parameters
    ----------
    names
        Paths of series in the file, all channels of which are used ("confounds"), or path and
        channel ("confounds/trans_x").
    times
        Acquisition times of the volumes, s.

    Raises
    ------
    DataError
        There is no such series or channel.
    """
    found = [_at_times(_read(source, name), times) for name in names]
    return Regressors(
        np.concatenate([r.values for r in found], axis=1),
        np.concatenate([r.valid for r in found], axis=1),
        tuple(i for r in found for i in r.ids),
    )


def regress_out(
    series: Series,
    regressors: Regressors,
    fitted: Bool[np.ndarray, " volume"],
    *,
    max_missing: float,
    where: str,
) -> Series:
    r"""A signal without what nuisance regressors explain of it: $x_v - J (r_v - \bar r)$.

    The weights J are those of least squares, channel by channel, with an intercept:

    $$ J, a = \arg\min \sum_{v \in F} |x_v - a - J (r_v - \bar r)|^2 $$

    over the observed volumes of the fitted stretch F, and $\bar r$ is the mean there: nothing
    outside F has a part in them. Collinear regressors share their weight (minimum norm). A
    regressor that does not change in F, or lacks too much, is dropped; single missing values count
    as its mean. Notes tell each of these, and how much variance the regressors took.

    Parameters
    ----------
    fitted
        The volumes of F.
    max_missing
        Largest fraction of a regressor that may be missing in F, or in all.
    where
        File and path of the signal, for errors.

    Raises
    ------
    DataError
        There are fewer than two observed volumes in F for each weight of a channel.
    """
    regressors, notes = _usable(regressors, fitted, max_missing)
    if not regressors.ids:
        return series._replace(notes=(*series.notes, *notes))
    design = _standardized(regressors, fitted)
    values = np.asarray(series.values, dtype=np.float64)
    valid = np.asarray(series.valid, dtype=bool)
    _refuse_few(valid & fitted[:, None], design.shape[1], series.channels.ids, where)
    taken = design @ _weights(design, values, valid & fitted[:, None])
    note = _taken_note(values, taken, valid & fitted[:, None], len(regressors.ids))
    return series._replace(
        values=np.where(valid, values - taken, 0.0), notes=(*series.notes, *notes, note)
    )


def _read(source: Source, name: str) -> Series:
    """The series at a path, or the one channel that a path's last part names."""
    path, _, channel = name.rpartition("/")
    try:
        return source.series(name)
    except DataError as whole:
        if not path:
            raise
        try:
            series = source.series(path)
        except DataError:
            raise whole from None
    if channel not in series.channels.ids:
        raise DataError(
            f"there is no channel {channel!r}: {nearest(channel, series.channels.ids)}",
            where=f"{source.path}:/{path}",
            fix=f"correct `nuisance`; choose among: {', '.join(series.channels.ids)}",
        )
    column = [series.channels.ids.index(channel)]
    return series._replace(
        values=np.asarray(series.values[:])[:, column],
        valid=np.asarray(series.valid[:])[:, column],
        channels=series.channels.select(np.array(column)),
    )


def _at_times(series: Series, times: np.ndarray) -> Regressors:
    own, valid = np.asarray(series.times), np.asarray(series.valid[:], dtype=bool)
    values = np.asarray(series.values[:], dtype=np.float64)
    if not (own.shape == times.shape and np.allclose(own, times, rtol=0, atol=1e-6)):
        lines = [_line(own[ok], x[ok], times) for x, ok in zip(values.T, valid.T, strict=True)]
        values, valid = (np.stack(part, axis=1) for part in zip(*lines, strict=True))
    return Regressors(values, valid, series.channels.ids)


def _line(own: np.ndarray, x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(own):
        return np.zeros(len(times)), np.zeros(len(times), dtype=bool)
    return np.interp(times, own, x), (times >= own[0]) & (times <= own[-1])


def _usable(
    regressors: Regressors, fitted: np.ndarray, max_missing: float
) -> tuple[Regressors, tuple[str, ...]]:
    """Those that change in the fitted stretch and are known nearly throughout; and notes."""
    known = regressors.valid & fitted[:, None]
    high = np.where(known, regressors.values, -np.inf).max(0, initial=-np.inf)
    low = np.where(known, regressors.values, np.inf).min(0, initial=np.inf)
    changes = high - low > STILL * np.maximum(np.abs(high), np.abs(low))
    lost = [(~regressors.valid[rows]).sum(0) for rows in (fitted, slice(None))]
    sizes = (int(fitted.sum()), len(fitted))
    present = np.all([n <= max_missing * max(1, of) for n, of in zip(lost, sizes, strict=True)], 0)
    notes = [
        f"{len(names)} nuisance regressors were dropped, {why}: {_listed(names)}"
        for why, out in (
            ("for they do not change where they are fitted", present & ~changes),
            ("for they lack too many values", ~present),
        )
        if (names := regressors.keep(out).ids)
    ]
    kept = regressors.keep(present & changes)
    if kept.ids and not kept.valid.all():
        n = int((~kept.valid).sum())
        notes.append(f"{n} missing values of nuisance regressors count as their mean")
    return kept, tuple(notes)


def _standardized(regressors: Regressors, fitted: np.ndarray) -> np.ndarray:
    """Regressors of mean 0 and sd 1 in the fitted stretch; 0 where missing."""
    known = (regressors.valid & fitted[:, None]).astype(float)
    share = known / known.sum(0)
    mean = (share * regressors.values).sum(0)
    sd = np.sqrt((share * (regressors.values - mean) ** 2).sum(0))
    return np.where(regressors.valid, (regressors.values - mean) / sd, 0.0)


def _weights(design: np.ndarray, values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Least squares [regressor, channel]; channels observed in the same volumes are one problem."""
    weights = np.zeros((design.shape[1], values.shape[1]))
    patterns, which = np.unique(used, axis=1, return_inverse=True)
    intercept = np.column_stack([np.ones(len(design)), design])
    for k, rows in enumerate(patterns.T):
        alike = which.reshape(-1) == k
        weights[:, alike] = np.linalg.lstsq(intercept[rows], values[rows][:, alike])[0][1:]
    return weights


def _refuse_few(used: np.ndarray, n: int, ids: tuple[str, ...], where: str) -> None:
    counts = used.sum(0)
    seen = np.flatnonzero(counts > 0)
    worst = int(seen[counts[seen].argmin()]) if len(seen) else 0
    if counts[worst] < VOLUMES_A_WEIGHT * (n + 1):
        raise DataError(
            f"{n} nuisance regressors and a mean to fit on {counts[worst]} volumes of channel "
            f"{ids[worst]!r}",
            where=where,
            fix=f"name fewer in `nuisance`: there must be {VOLUMES_A_WEIGHT} volumes for each; or "
            "raise nuisance_fit to what `split` leaves for training, or leave the channel out",
        )


def _taken_note(values: np.ndarray, taken: np.ndarray, used: np.ndarray, n: int) -> str:
    """How much of the channels' variance was taken where the weights were fitted."""
    share = used / np.maximum(used.sum(0), 1)
    centered = values - (share * values).sum(0)
    before = (share * centered**2).sum(0)
    # At the minimum of least squares, what is taken and what is left have no covariance.
    moved = taken - (share * taken).sum(0)
    fractions = (share * moved**2).sum(0)[before > 0] / before[before > 0]
    if not len(fractions):
        return f"{n} nuisance regressors took nothing: no channel changes"
    return (
        f"{n} nuisance regressors took {np.median(fractions):.1%} of the variance where they were "
        f"fitted (median of channels; at most {fractions.max():.1%})"
    )


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
