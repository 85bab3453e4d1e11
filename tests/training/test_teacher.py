"""Windows of the encoded path lie inside stretches, all alike; noise is scaled and repeatable."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.training.teacher import Teacher


def stretches(*lengths):
    """Paths whose values name stretch and bin: 1000 * (stretch + 1) + bin."""
    return [1000.0 * (i + 1) + torch.arange(float(n))[:, None] for i, n in enumerate(lengths)]


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    window=st.integers(1, 6),
    k=st.integers(0, 1000),
)
def test_a_window_is_a_run_of_bins_of_one_stretch(lengths, window, k):
    if max(lengths) <= window:
        return
    drawn = Teacher.of(stretches(*lengths), window=window).windows(0, k, 30)[..., 0]
    assert drawn.shape == (30, window + 1)
    assert (drawn.diff() == 1).all()  # also says that no window crosses an end


def test_every_window_of_every_stretch_is_drawn_equally_often():
    # 7 windows of the first stretch, 2 of the second, none of the third, which is too short.
    teacher = Teacher.of(stretches(10, 5, 3), window=3)
    draws = torch.cat([teacher.windows(0, k, 900)[:, 0, 0] for k in range(10)])
    values, counts = draws.unique(return_counts=True)
    assert values.tolist() == [1000, 1001, 1002, 1003, 1004, 1005, 1006, 2000, 2001]
    chi2 = ((counts - 1000) ** 2 / 1000).sum()
    assert chi2 < 26.1  # 99.9 % point of chi-squared with 8 degrees of freedom


def test_windows_are_a_pure_function_of_seed_and_step():
    teacher = Teacher.of(stretches(100), window=3)
    late = teacher.windows(0, 7, 20)
    teacher.windows(0, 3, 20)
    assert torch.equal(teacher.windows(0, 7, 20), late)
    assert not torch.equal(teacher.windows(0, 8, 20), late)
    assert not torch.equal(teacher.windows(1, 7, 20), late)


def test_noise_has_the_sd_asked_for_and_differs_from_step_to_step():
    teacher = Teacher.of([torch.zeros(50, 2)], window=40)
    sd = torch.tensor([0.1, 3.0])
    noise = teacher.noise(sd, 0, 5, 250)
    assert noise.shape == (250, 40, 2)
    # 10,000 numbers: the standard error of an sd is 0.7 %.
    torch.testing.assert_close(noise.flatten(0, 1).std(0), sd, rtol=0.03, atol=0)
    assert torch.equal(teacher.noise(sd, 0, 5, 250), noise)
    assert not torch.equal(teacher.noise(sd, 0, 6, 250), noise)


def test_the_variance_is_that_of_all_stretches_together():
    parts = [torch.randn(n, 2, generator=torch.Generator().manual_seed(n)) for n in (9, 30)]
    teacher = Teacher.of(parts, window=3)
    torch.testing.assert_close(teacher.variance, torch.cat(parts).var(0).sum())


def test_a_window_longer_than_every_stretch_is_refused_with_one_that_fits():
    with pytest.raises(DataError, match=r"longest stretch has 3 bins, a window 4") as refused:
        Teacher.of(stretches(3, 2), window=3)
    assert "dynamics.window to 2 or less" in refused.value.fix
    Teacher.of(stretches(3, 2), window=2)
