"""Bootstrap intervals hold what they promise."""

import numpy as np
import pytest
import torch

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.bootstrap import bootstrap_interval


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_95_percent_intervals_of_a_mean_hold_it_in_95_percent_of_repetitions(seed):
    generator, samples = seeded(seed), np.random.default_rng(seed).standard_normal((300, 60))
    intervals = [bootstrap_interval(np.mean, list(x), generator=generator) for x in samples]
    coverage = np.mean([low <= 0 <= high for low, high in intervals])
    # Binomial s.e. sqrt(.05 * .95 / 300) = .0126, three of them; the percentile interval of 60
    # blocks and 200 resamples is known to be narrow by another .01 to .02.
    assert 0.95 - 0.058 <= coverage <= 0.95 + 0.038


def test_the_interval_of_a_mean_has_the_width_of_its_standard_error():
    x = np.random.default_rng(0).standard_normal(400)
    low, high = bootstrap_interval(np.mean, list(x), n_resamples=4000, generator=seeded())
    # The quantiles of 4,000 resamples are themselves uncertain by some 3 %; three times that.
    assert high - low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.09)


def test_blocks_are_kept_whole():
    blocks = [np.array([k, -k]) for k in (1.0, 2.0, 3.0)]
    sums = bootstrap_interval(lambda b: np.concatenate(b).sum(), blocks, generator=seeded())
    assert sums == (0.0, 0.0)


def test_a_higher_level_gives_a_wider_interval():
    x = list(np.random.default_rng(0).standard_normal(50))
    narrow, wide = (
        bootstrap_interval(np.mean, x, level=level, generator=seeded()) for level in (0.5, 0.99)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_same_generator_gives_the_same_interval():
    x = [1.0, 4.0, 9.0]
    first, second = (bootstrap_interval(np.mean, x, generator=seeded(5)) for _ in range(2))
    assert first == second


def test_one_block_is_refused():
    with pytest.raises(DataError, match="cut the data into at least 2 blocks"):
        bootstrap_interval(np.mean, [1.0], generator=seeded())


def test_a_level_in_percent_is_refused():
    with pytest.raises(ConfigError, match="use a level between 0 and 1"):
        bootstrap_interval(np.mean, [1.0, 2.0], level=95.0, generator=seeded())
