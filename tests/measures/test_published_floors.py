"""The measures on two published benchmark files give the floors known from other code.

The files are those of Hess et al. 2023, ICML (generalized teacher forcing); the values were
measured once with an independent implementation and are given to its printed digits.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from neurodsr.measures.prediction import linear_error, persistence_error
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import state_space_divergence


def load(name):
    path = Path(__file__).parents[2].parent / "shared" / "data" / "dsr" / name
    if not path.exists() and not os.environ.get("CI"):
        pytest.skip("needs ../shared/data/dsr beside the repository")
    with np.load(path, allow_pickle=False) as arrays:
        train = "train_noise05" if "train_noise05" in arrays else "train"
        return arrays[train], arrays["test"]


@pytest.fixture(scope="module")
def lorenz():
    return load("lorenz63_gtf.npz")


@pytest.fixture(scope="module")
def ecg():
    return load("ecg_pecuzal_5d.npz")


def halves(x):
    return np.array_split(x, 2)


def test_lorenz63_state_space_floor_is_0p119_and_0p231_between_clean_halves(lorenz):
    train, test = lorenz
    assert state_space_divergence(test, train) == pytest.approx(0.119, abs=5e-4)
    assert state_space_divergence(*halves(test)) == pytest.approx(0.231, abs=5e-4)


def test_lorenz63_spectrum_floor_is_0p070_and_0p054_between_halves(lorenz):
    train, test = lorenz
    assert power_spectrum_distance(test, train) == pytest.approx(0.070, abs=5e-4)
    assert power_spectrum_distance(*halves(test), smoothing=20.0) == pytest.approx(0.054, abs=5e-4)


def test_lorenz63_20_step_baselines_are_1p34_and_1p10(lorenz):
    train, test = lorenz
    assert persistence_error(test, n_ahead=20) == pytest.approx(1.34, abs=5e-3)
    assert linear_error(train, test, n_ahead=20) == pytest.approx(1.10, abs=5e-3)


def test_ecg_floors_are_0p294_and_0p060(ecg):
    train, test = ecg
    # 30 bins in five dimensions: the convention of the published tables.
    assert state_space_divergence(test, train) == pytest.approx(0.294, abs=1e-3)
    assert power_spectrum_distance(test, train) == pytest.approx(0.060, abs=5e-4)


def test_ecg_20_step_baselines_are_1p13_and_0p51(ecg):
    train, test = ecg
    assert persistence_error(test, n_ahead=20) == pytest.approx(1.13, abs=5e-3)
    assert linear_error(train, test, n_ahead=20) == pytest.approx(0.51, abs=5e-3)
