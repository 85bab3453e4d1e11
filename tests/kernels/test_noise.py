"""Process noise: the published generator, and numbers that are normal and independent."""

import numpy as np
import pytest
import torch
from scipy import stats

from neurodsr.kernels.noise import process_noise, threefry


def normals(n_steps=2000, n_batch=20, latent=5, *, seed=3, members=1, **how):
    sd = torch.ones(members, latent, dtype=torch.float64)
    return process_noise(sd, seed=seed, n_steps=n_steps, n_batch=n_batch, **how).numpy()


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0xFD36D048, 0x2D17272C)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xBA3E4725, 0xF27D669E)),
    ],
)
def test_the_words_are_those_that_the_authors_of_threefry_published(counter, key, expected):
    # Random123, tests/kat_vectors, "threefry2x32 13".
    words = threefry(key, *(np.array([c]) for c in counter))
    assert tuple(int(w[0]) for w in words) == expected


def test_noise_has_the_moments_and_the_distribution_of_a_normal():
    x = normals().ravel()
    n = len(x)
    # Four standard errors of each moment of n independent normals.
    assert abs(x.mean()) < 4 / n**0.5
    assert abs(x.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((x**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((x**4).mean() - 3) < 4 * (96 / n) ** 0.5
    assert stats.kstest(x, "norm").pvalue > 1e-4


@pytest.mark.parametrize("axis", range(4), ids=["member", "batch", "time", "latent"])
@pytest.mark.parametrize("shift", [1, 2])
def test_neighbors_in_any_direction_are_independent(axis, shift):
    x = np.moveaxis(normals(1000, 10, 4, members=4), axis, 0)
    a, b = x[shift:].ravel(), x[:-shift].ravel()
    # Four standard errors of a correlation, also of what a correlation of signs does not see.
    assert abs((a * b).mean()) < 4 / len(a) ** 0.5
    assert abs(((a**2 - 1) * (b**2 - 1)).mean()) < 4 * 2 / len(a) ** 0.5


def test_a_number_depends_on_nothing_but_its_own_place():
    whole = normals(30, 6, 3, members=2)
    # Other numbers of samples, of members, and another first step, odd as well as even.
    assert np.array_equal(normals(30, 2, 3, members=2), whole[:, :2])
    assert np.array_equal(normals(30, 6, 3), whole[:1])
    for first in (7, 8):
        later = normals(9, 6, 3, members=2, first=first)
        assert np.array_equal(later, whole[:, :, first : first + 9])


def test_seeds_give_different_noise_and_each_latent_has_its_own_deviation():
    assert abs(np.corrcoef(normals(seed=1).ravel(), normals(seed=2).ravel())[0, 1]) < 4 / 2e5**0.5
    sd = torch.tensor([[0.0, 2.0]])
    x = process_noise(sd, seed=0, n_steps=5000, n_batch=2)
    assert (x[..., 0] == 0).all()
    assert x[..., 1].std().item() == pytest.approx(2, abs=4 * 2 / (2 * 10_000) ** 0.5)
