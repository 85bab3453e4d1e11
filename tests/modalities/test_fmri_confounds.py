"""Nuisance regressors: their weights are found, they are taken out, and the test has no part."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.fmri import Fmri
from neurodsr.testing.fake_source import FakeSource, sampled

TR, N = 2.0, 300
GRID = TimeGrid(0.0, TR, N)
CUT = 210
"""First volume beyond 70 % of the grid."""
MOTION = ("trans_x", "trans_y", "rot_z")
WEIGHTS = np.array([[1.5, -0.5], [0.0, 2.0], [-1.0, 0.3]])
BASE = np.array([900.0, 20.0])


def motion(seed=0, n=N):
    """Head movements: slow, on scales of their own, and away from 0."""
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(n, 3)), axis=0)
    return walk * [0.1, 0.02, 0.003] + [5.0, -1.0, 0.01]


def volumes(values, *, ids=None, valid=None):
    return sampled(values, rate=1 / TR, start=TR / 2, ids=ids, valid=valid)


def load(held, nuisance=("confounds",), *, grid=GRID, **fields):
    return Fmri(path="bold", nuisance=nuisance, **fields).load(FakeSource(held), grid)


def cleaned(bold, confounds, **fields):
    return load({"bold": volumes(bold), "confounds": volumes(confounds, ids=MOTION)}, **fields)


def scaled(confounds):
    """What WEIGHTS are about: regressors in sd of the fitted stretch, from their mean there."""
    fit = confounds[:CUT]
    return (confounds - fit.mean(0)) / fit.std(0)


# ---- what is taken


def test_a_signal_that_is_all_motion_is_left_at_its_mean_beyond_the_fit_too():
    r = motion()
    stream = cleaned(BASE + scaled(r) @ WEIGHTS, r)
    # float32 holds 900 to within 6e-5.
    np.testing.assert_allclose(stream.values, np.tile(BASE, (N, 1)), atol=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_weights_are_recovered_within_three_standard_errors(seed):
    r, noise = motion(seed), np.random.default_rng(seed + 100).normal(size=(N, 2))
    bold = scaled(r) @ WEIGHTS + noise
    taken = bold - np.asarray(cleaned(bold, r).values, dtype=float)
    found = np.linalg.lstsq(scaled(r), taken, rcond=None)[0]
    design = np.column_stack([np.ones(CUT), scaled(r)[:CUT]])
    sd = np.sqrt(np.linalg.inv(design.T @ design).diagonal()[1:, None])
    # Six weights: each within three standard errors in all but one of sixty tests; in four, 3.5.
    assert (np.abs(found - WEIGHTS) < 3.5 * sd).all()


def test_what_is_left_has_no_correlation_with_the_regressors_where_they_were_fitted():
    r = motion(5)
    bold = scaled(r) @ WEIGHTS + np.random.default_rng(6).normal(size=(N, 2))
    left = np.asarray(cleaned(bold, r).values, dtype=float)[:CUT]
    covariance = (left - left.mean(0)).T @ scaled(r)[:CUT] / CUT
    assert np.abs(covariance).max() < 1e-6  # float32 of values near 1


def test_the_note_tells_how_many_regressors_took_how_much():
    r, noise = motion(), np.random.default_rng(1).normal(size=(N, 1))
    noise[:CUT] -= (
        scaled(r)[:CUT]
        @ np.linalg.lstsq(
            np.column_stack([np.ones(CUT), scaled(r)[:CUT]]), noise[:CUT], rcond=None
        )[0][1:]
    )
    part = scaled(r)[:, :1]
    bold = 3 * part + 4 * noise / noise[:CUT].std()  # 9 of 25 parts of variance
    notes = cleaned(bold, r).notes
    assert "3 nuisance regressors took 36.0% of the variance where they were fitted (median of " \
        "channels; at most 36.0%)" in notes  # fmt: skip


def test_the_note_tells_where_they_were_fitted_and_warns_of_the_test():
    (note,) = [n for n in cleaned(motion()[:, :2], motion()).notes if "nuisance_fit" in n]
    assert "from 0 to 420 s, nuisance_fit = 0.7 of the grid" in note
    assert "at most what `split` leaves for training" in note
    assert "in a single session without segments" in note
    assert "with several sessions or segments, regress the nuisance out beforehand" in note


# ---- nothing of the test


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_comes_after_the_fit_has_no_part_in_the_weights(seed):
    """Other data and other motion there change nothing before, and one weight for all after."""
    rng = np.random.default_rng(seed)
    r, bold = motion(seed), rng.normal(size=(N, 2))
    first = cleaned(bold, r)
    r2, bold2 = r.copy(), bold.copy()
    r2[CUT:], bold2[CUT:] = motion(seed + 9)[CUT:], 50 * rng.normal(size=(N - CUT, 2))
    second = cleaned(bold2, r2)
    np.testing.assert_array_equal(first.values[:CUT], second.values[:CUT])
    before, after = (
        np.linalg.lstsq(c, x - np.asarray(s.values, float), rcond=None)[0]
        for c, x, s in ((scaled(r), bold, first), (scaled(r2), bold2, second))
    )
    np.testing.assert_allclose(before, after, atol=1e-4)  # float32 of values up to 200


def test_the_fit_begins_and_ends_with_the_grid_and_not_with_the_file():
    r, bold = motion(), np.random.default_rng(0).normal(size=(N, 2))
    inner = TimeGrid(100.0, TR, 100)  # volumes 50 to 149, fitted on 50 to 119
    held = {"bold": volumes(bold), "confounds": volumes(r, ids=MOTION)}
    part = {
        "bold": volumes(bold)._replace(values=np.where(np.arange(N)[:, None] < 120, bold, 7.0)),
        "confounds": volumes(r, ids=MOTION),
    }
    one, two = load(held, grid=inner), load(part, grid=inner)
    np.testing.assert_array_equal(one.values[:70], two.values[:70])


@pytest.mark.parametrize("n", range(40, 61))
def test_the_fit_never_reaches_beyond_a_split_of_the_same_fraction(n):
    grid = TimeGrid(0.0, TR, n)
    held = {"bold": volumes(motion()[:, :2]), "confounds": volumes(motion(1), ids=MOTION)}
    (note,) = [x for x in load(held, grid=grid).notes if "nuisance_fit" in x]
    stop = float(note.split(" to ")[1].split(" s")[0])
    assert stop <= TR * round(n * (1 - 0.1 - 0.2))


# ---- which regressors


def test_one_column_of_a_table_is_named_by_its_path():
    r = motion()
    bold = scaled(r) @ WEIGHTS
    held = {"bold": volumes(bold), "motion/confounds": volumes(r, ids=MOTION)}
    names = tuple(f"motion/confounds/{name}" for name in MOTION)
    np.testing.assert_array_equal(
        load(held, names).values, load(held, ("motion/confounds",)).values
    )


def test_collinear_regressors_take_no_more_than_one():
    r = motion()
    bold = scaled(r) @ WEIGHTS + np.random.default_rng(1).normal(size=(N, 2))
    held = {
        "bold": volumes(bold),
        "a": volumes(r[:, :1], ids=("x",)),
        "b": volumes(-3 * r[:, :1] + 1, ids=("y",)),
    }
    np.testing.assert_allclose(load(held, ("a",)).values, load(held, ("a", "b")).values, atol=1e-5)


def test_a_regressor_on_another_clock_is_read_between_its_samples():
    times = np.arange(0.0, 2 * N + 1, 0.5)
    fine = sampled(np.sin(times / 20)[:, None], rate=2.0, ids=("pulse",))
    bold = np.sin((1 + TR * np.arange(N)) / 20)[:, None] * [1.0, -2.0]
    stream = load({"bold": volumes(bold), "pulse": fine}, ("pulse",))
    # What is left is the mean over the fit.
    np.testing.assert_allclose(stream.values, np.tile(bold[:CUT].mean(0), (N, 1)), atol=1e-4)


def test_a_regressor_that_is_constant_where_it_is_fitted_is_dropped_with_a_note():
    r = motion()
    r[:CUT, 1] = 5.0
    bold = scaled(motion()) @ WEIGHTS
    stream = cleaned(bold, r)
    assert (
        "1 nuisance regressors were dropped, for they do not change where they are fitted: trans_y"
        in stream.notes
    )
    np.testing.assert_array_equal(
        stream.values, cleaned(bold, r, nuisance=("confounds/trans_x", "confounds/rot_z")).values
    )


def test_a_regressor_without_numbers_is_dropped_with_a_note():
    r = motion()
    r[:, 2] = np.nan
    stream = cleaned(np.random.default_rng(0).normal(size=(N, 2)), r)
    assert (
        "1 nuisance regressors were dropped, for they lack too many values: rot_z" in stream.notes
    )
    assert np.isfinite(stream.values).all()


def test_if_none_is_left_the_signal_stays_as_it_is():
    bold = np.random.default_rng(0).normal(size=(N, 2))
    stream = cleaned(bold, np.ones((N, 3)))
    np.testing.assert_array_equal(stream.values, bold.astype(np.float32))
    assert any("trans_x, trans_y, rot_z" in note for note in stream.notes)


def test_the_first_entry_of_a_derivative_is_missing_and_counts_as_the_mean():
    r = motion()
    derivative = np.vstack([[np.nan] * 3, np.diff(r, axis=0)])
    filled = derivative.copy()
    filled[0] = derivative[1:CUT].mean(0)
    bold = np.random.default_rng(0).normal(size=(N, 2))
    found = cleaned(bold, derivative)
    # The sd by which they are scaled differs; what is taken does not.
    np.testing.assert_allclose(found.values, cleaned(bold, filled).values, atol=1e-6)
    assert "3 missing values of nuisance regressors count as their mean" in found.notes


def test_a_lost_volume_is_no_part_of_the_fit_and_stays_lost():
    r = motion()
    bold = scaled(r) @ WEIGHTS
    valid = np.ones((N, 2), dtype=bool)
    valid[::7, 0], valid[3::9, 1] = False, False
    wild = np.where(valid, bold, 1e6)
    held = {
        "bold": volumes(wild, valid=valid)._replace(values=wild),
        "confounds": volumes(r, ids=MOTION),
    }
    stream = load(held)
    assert np.array_equal(stream.mask, valid)
    assert (np.asarray(stream.values)[~valid] == 0).all()
    np.testing.assert_allclose(np.asarray(stream.values)[valid], 0.0, atol=1e-6)


# ---- refusals


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(DataError, match="correct `nuisance`; choose among: trans_x, trans_y") as e:
        cleaned(motion()[:, :2], motion(), nuisance=("confounds/trans_z",))
    assert "did you mean" in e.value.what


def test_an_unknown_series_is_refused_by_the_file():
    with pytest.raises(DataError, match="confound"):
        cleaned(motion()[:, :2], motion(), nuisance=("confound",))
    with pytest.raises(DataError, match="motion/confounds"):
        cleaned(motion()[:, :2], motion(), nuisance=("motion/confounds",))


def test_more_weights_than_half_the_volumes_are_refused():
    rng = np.random.default_rng(0)
    held = {
        "bold": volumes(rng.normal(size=(40, 1))),
        "confounds": volumes(rng.normal(size=(40, 14))),
    }
    with pytest.raises(DataError, match="name fewer in `nuisance`") as e:
        load(held, grid=TimeGrid(0.0, TR, 40))
    assert "14 nuisance regressors and a mean to fit on 28 volumes of channel 'c0'" in e.value.what


def test_the_source_is_left_as_it_was():
    r, bold = motion(), np.random.default_rng(0).normal(size=(N, 2))
    held: dict[str, Series] = {"bold": volumes(bold), "confounds": volumes(r, ids=MOTION)}
    before = {name: s.values.copy() for name, s in held.items()}
    load(held)
    for name, s in held.items():
        np.testing.assert_array_equal(s.values, before[name])
