"""What counts as a trajectory, and what is said of anything else."""

import numpy as np
import pytest
import torch

from neurodsr.errors import DataError
from neurodsr.measures.segments import require_finite, segments_of, segments_of_both, stretches


@pytest.mark.parametrize(
    ("x", "lengths"),
    [
        (np.zeros((7, 2)), [7]),
        (torch.zeros(7, 2), [7]),
        (np.zeros((3, 5, 2)), [5, 5, 5]),
        ([np.zeros((4, 2)), np.zeros((6, 2))], [4, 6]),
    ],
)
def test_a_segment_a_stack_and_a_list_all_become_segments(x, lengths):
    assert [len(segment) for segment in segments_of(x)] == lengths


def test_stretches_never_cross_a_segments_edge():
    first, second = np.full((5, 1), 1.0), np.full((7, 1), 2.0)
    assert [s[:, 0].tolist() for s in stretches([first, second], 3)] == [[1] * 3, [2] * 3, [2] * 3]


def test_a_trajectory_without_a_dimension_axis_is_refused_with_the_way_to_add_one():
    with pytest.raises(DataError, match=r"x\[:, None\] makes one dimension"):
        segments_of([np.zeros(5)])


def test_segments_of_different_dimension_are_refused():
    with pytest.raises(DataError, match="give all segments the same axes"):
        segments_of([np.zeros((5, 2)), np.zeros((5, 3))])


def test_data_and_generated_states_of_different_dimension_are_refused_with_both_shapes():
    with pytest.raises(DataError, match=r"\(5, 2\).*\(6, 3\)[\s\S]*compare both in the same space"):
        segments_of_both(np.zeros((5, 2)), np.zeros((6, 3)))


def test_missing_values_in_the_data_are_located():
    x = np.zeros((9, 2))
    x[4, 1] = np.nan
    with pytest.raises(DataError, match=r"nan at bin 4, dimension 1[\s\S]*impute them first"):
        require_finite([x])
