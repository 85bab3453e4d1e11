"""Windows lie inside stretches, are all drawn alike, and depend on nothing but seed and number."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.training.windows import WindowSampler, to_tensors


def stretches(*lengths):
    """Arrays whose values name stretch and bin: 1000 * (stretch + 1) + bin + 1; padding is 0."""
    return [
        1000.0 * (i + 1) + torch.arange(n, dtype=torch.float32)[:, None] + 1
        for i, n in enumerate(lengths)
    ]


def sampler(*lengths, **settings):
    settings = {"length": 4, "batch_size": 50, "seed": 0, **settings}
    return WindowSampler({"x": stretches(*lengths)}, **settings)


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(0, 4),
    st.integers(0, 1000),
)
def test_a_window_is_a_run_of_bins_of_one_stretch_in_its_context(lengths, length, context, k):
    if max(lengths) < length:
        return
    batch = sampler(*lengths, length=length, context=context).batch(k)["x"][..., 0]
    assert batch.shape == (50, length + 2 * context)
    for window in batch:
        inner = window[context : context + length]
        assert (inner > 0).all()
        assert (inner.diff() == 1).all()
        seen = window[window > 0]
        assert (seen.diff() == 1).all()  # one stretch, also in the context
        stretch, bins = int(inner[0]) // 1000 - 1, inner[0].item() % 1000 - 1
        before = min(context, int(bins))
        after = min(context, lengths[stretch] - int(bins) - length)
        assert len(seen) == before + length + after  # nothing that exists is hidden


def test_every_window_of_every_stretch_is_drawn_equally_often():
    # 7 windows of the first stretch, 2 of the second, none of the third, which is too short.
    draws = torch.cat([sampler(10, 5, 3, batch_size=900).batch(k)["x"][:, 0, 0] for k in range(10)])
    values, counts = draws.unique(return_counts=True)
    assert values.tolist() == [1001, 1002, 1003, 1004, 1005, 1006, 1007, 2001, 2002]
    expected = 9000 / 9
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < 26.1  # 99.9 % point of chi-squared with 8 degrees of freedom


def test_a_batch_is_a_pure_function_of_seed_and_number():
    one, other = sampler(100), sampler(100)
    late = one.batch(7)["x"]
    one.batch(3)
    assert torch.equal(one.batch(7)["x"], late)
    assert torch.equal(other.batch(7)["x"], late)
    assert not torch.equal(one.batch(8)["x"], late)
    assert not torch.equal(sampler(100, seed=1).batch(7)["x"], late)


def test_all_arrays_are_cut_at_the_same_places():
    x = stretches(20, 30)
    both = WindowSampler({"x": x, "y": [-a for a in x]}, length=5, batch_size=9, seed=0, context=2)
    batch = both.batch(0)
    assert torch.equal(batch["y"], -batch["x"])


def test_masks_are_padded_with_unobserved():
    mask = [torch.ones(6, 1, dtype=torch.bool)]
    batch = WindowSampler({"m": mask}, length=6, batch_size=1, seed=0, context=2).batch(0)["m"]
    assert batch.dtype == torch.bool
    assert batch[0, :, 0].tolist() == [False] * 2 + [True] * 6 + [False] * 2


def test_a_window_longer_than_every_stretch_is_refused():
    with pytest.raises(DataError, match=r"longest stretch has 3 bins, a window 4[\s\S]*or less"):
        sampler(3, 2)


def test_the_window_that_the_refusal_proposes_is_short_enough_for_both_stages():
    """The dynamics stage draws one bin more than its window has steps."""
    with pytest.raises(DataError) as refused:
        sampler(30, length=101)
    proposed = int(refused.value.fix.split(" to ")[1].split()[0])
    assert sampler(30, length=proposed + 1).batch(0)["x"].shape[1] == proposed + 1


def test_streams_are_read_stretch_by_stretch(small_recording):
    data = to_tensors(small_recording, ((0, 100), (200, 250)))
    assert data.lengths == [100, 50]
    position = small_recording.streams["position"].values
    pooled = data.pooled()["position"]
    assert pooled.values.dtype == torch.float32
    assert pooled.values[100:].numpy().tolist() == position[200:250].tolist()
    assert pooled.mask.all()
