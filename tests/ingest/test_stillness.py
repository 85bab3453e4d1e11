"""A tracker that was off is said, and left out of what `init` proposes."""

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.ingest.stillness import describe_stillness, moving_span


def series(values):
    values = np.asarray(values, dtype=float)[:, None]
    times = 100.0 + np.arange(len(values))
    return Series(values, np.ones(values.shape, dtype=bool), times, Channels(ids=("x",)), "m")


def test_a_signal_that_moves_throughout_has_no_still_ends():
    assert moving_span(series(np.sin(np.arange(100)))) is None


def test_a_rest_of_less_than_a_tenth_is_behavior():
    assert moving_span(series([*np.sin(np.arange(95)), *[2.0] * 5])) is None


def test_a_signal_that_stops_halfway_moves_until_its_last_change():
    still = series([*np.sin(np.arange(50)), *[2.0] * 50])
    assert moving_span(still) == (100.0, 150.0)
    assert "after 150 s (49% of the series)" in describe_stillness(still, (100.0, 150.0))
    assert "grid.start and grid.stop" in describe_stillness(still, (100.0, 150.0))


def test_a_signal_that_starts_late_moves_from_its_first_change():
    assert moving_span(series([*[2.0] * 50, *np.sin(np.arange(50))])) == (149.0, 199.0)


def test_a_signal_that_never_changes_is_left_to_the_loader():
    assert moving_span(series([1.0] * 30)) is None
