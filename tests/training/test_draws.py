"""Windows and noise of a step: pure functions of seed and step, all alike, in range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.training.draws import NOISE, WINDOWS, draw_below, draw_words, step_seed

SEEDS = st.integers(0, 2**64 - 1)


@given(SEEDS, st.integers(1, 2**32 - 1), st.integers(1, 20))
def test_a_number_is_the_upper_half_of_word_times_limit(seed, limit, n):
    words = [int(w) for w in draw_words(seed, np.arange(n), 0)]
    assert draw_below(limit, seed=seed, n=n).tolist() == [w * limit >> 64 for w in words]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_all_numbers_below_a_limit_are_equally_likely(limit):
    drawn = draw_below(limit, seed=5, n=200 * limit)
    counts = np.bincount(drawn, minlength=limit)
    assert len(counts) == limit
    # Chi-squared of limit - 1 degrees of freedom: mean limit - 1, sd sqrt(2 limit); 5 sd above.
    assert ((counts - 200) ** 2 / 200).sum() <= limit - 1 + 5 * (2 * limit) ** 0.5


def test_numbers_depend_on_their_place_alone():
    long = draw_below(1000, seed=5, n=300)
    assert draw_below(1000, seed=5, n=7).tolist() == long[:7].tolist()


def test_no_two_steps_purposes_or_seeds_share_a_seed():
    seeds = {
        step_seed(seed, purpose, step)
        for seed in (0, 1, 2**40)
        for purpose in (WINDOWS, NOISE)
        for step in range(2000)
    }
    assert len(seeds) == 3 * 2 * 2000


def test_every_bit_of_a_word_is_set_half_of_the_time():
    words = draw_words(3, np.arange(10_000), 0)
    share = [(words >> np.uint64(bit) & np.uint64(1)).mean() for bit in range(64)]
    # Standard error 0.005; the farthest of 64 is within 4 of them with probability 0.996.
    assert np.abs(np.array(share) - 0.5).max() < 0.02
