"""Whatever a modality does while it loads, at once or later, is taken or blamed on its package."""

from __future__ import annotations

from importlib.metadata import version
from typing import ClassVar

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, PluginError
from neurodsr.ingest.ingest import load_stream
from neurodsr.ingest.load_checked import load_checked
from neurodsr.ingest.settle import Settler
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.registry import load_modality
from neurodsr.run_config import RunConfig

GRID = TimeGrid(start=0.0, bin_width=0.1, n_bins=10)
GAZE = """
from typing import Literal
from neurodsr.modalities.behavior import Behavior

class Gaze(Behavior):
    kind: Literal["gaze"] = "gaze"

    def load(self, source, grid):
        return source(grid)
"""
# The "source" of these plug-ins is a function, and some of their streams are none.
pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture
def gaze(install):
    """A modality of a plug-in that gives what the "source", a function of the grid, gives."""
    install("lab-gaze", GAZE, kind="gaze", what="Gaze")
    return load_modality("gaze")(path="gaze")


def numbers(grid):
    return np.ones((grid.n_bins, 2)), np.ones((grid.n_bins, 2), dtype=bool)


def lazily(change=lambda values, mask, first: (values, mask), *, exposed=False):
    """A function of the grid that gives a lazy stream of ones, each block changed."""

    def load(grid):
        def read(first, stop):
            return change(*numbers(grid.part(first, stop)), first)

        def watched(first, stop):
            _, mask = read(first, stop)
            return mask.astype(float), mask

        values, mask = lazy_pair(read, shape=(grid.n_bins, 2), dtype=np.float32)
        seen = lazy_pair(watched, shape=(grid.n_bins, 2), dtype=float)[0] if exposed else None
        return Stream(values, mask, Channels(("x", "y")), "m", exposure=seen)

    return load


@pytest.mark.parametrize("error", [ZeroDivisionError, StopIteration, SystemExit, AssertionError])
def test_what_a_plug_in_raises_is_blamed_on_it_with_version_and_traceback(gaze, error):
    def load(grid):
        raise error("no filter taps")

    with pytest.raises(PluginError, match="fix: report it to the package's authors") as caught:
        load_checked(gaze, load, GRID)
    assert caught.value.where == "kind 'gaze' of lab-gaze 1.2"
    assert caught.value.what.startswith("loading fails\n")
    assert 'lab_gaze.py", line 9, in load' in caught.value.what
    assert caught.value.what.endswith(f"{error.__name__}: no filter taps")
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("error", [DataError("too dark", fix="light"), MemoryError()])
def test_what_a_modality_may_raise_passes(gaze, error):
    def load(grid):
        raise error

    with pytest.raises(type(error)) as caught:
        load_checked(gaze, load, GRID)
    assert caught.value is error


def test_what_a_modality_gives_that_is_no_stream_is_refused(gaze):
    with pytest.raises(PluginError, match="loading gave a dict, not a Stream") as caught:
        load_checked(gaze, lambda grid: {}, GRID)
    assert caught.value.where == "kind 'gaze' of lab-gaze 1.2"


def test_a_built_in_is_treated_alike_and_named_neurodsr():
    with pytest.raises(PluginError, match="AttributeError") as caught:
        load_checked(Behavior(path="position"), object(), GRID)
    assert caught.value.where == f"kind 'behavior' of neurodsr {version('neurodsr')}"
    assert '.py", line ' in caught.value.what  # a bug of ours can still be found


def test_a_modality_that_no_package_announces_is_named_by_its_module():
    class Unannounced(Behavior):
        api_version: ClassVar[str] = "1"

    broken = Unannounced.model_construct(kind="unannounced", path="x", observation="gaussian")
    with pytest.raises(PluginError) as caught:
        load_checked(broken, None, GRID)
    assert caught.value.where == f"kind 'unannounced' of {__name__}"


# ---- lazy streams


@pytest.mark.parametrize("exposed", [False, True])
def test_a_sound_lazy_stream_stays_lazy_and_keeps_its_numbers(gaze, exposed):
    stream = load_checked(gaze, lazily(exposed=exposed), GRID)
    assert isinstance(stream.values, LazyArray)
    assert stream.values.dtype == np.float32
    np.testing.assert_array_equal(stream.values[2:9:3], np.ones((3, 2)))
    np.testing.assert_array_equal(stream.mask[:], np.ones((10, 2), dtype=bool))
    assert (stream.exposure is not None) == exposed
    if exposed:
        np.testing.assert_array_equal(stream.exposure[4:, 1], np.ones(6))


def test_a_block_is_read_once_for_values_mask_and_exposure(gaze):
    read = []

    def noted(values, mask, first):
        read.append(first)
        return values, mask

    stream = load_checked(gaze, lazily(noted), GRID)
    assert read == []
    for rows in (slice(0, 4), slice(4, 8)):
        stream.values[rows], stream.mask[rows]
    assert read == [0, 4]


def nan_late(values, mask, first):
    values[-1, 1] = np.nan
    return values, mask


def integer_mask(values, mask, first):
    return values, mask.astype(np.int64)


def too_few(values, mask, first):
    return values[:-1], mask[:-1]


def failing(values, mask, first):
    raise ZeroDivisionError("no filter taps")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (nan_late, r"loading gave nan at 0\.7 s in channel 'y', which is observed"),
        (integer_mask, "loading gave a mask of int64, not of bool"),
        (too_few, "loading gave 3 bins where the grid has 4"),
        (failing, "loading fails\n[^$]*ZeroDivisionError: no filter taps"),
    ],
)
def test_a_bad_block_is_refused_when_it_is_read(gaze, change, said):
    stream = load_checked(gaze, lazily(change), GRID)
    with pytest.raises(PluginError, match=said) as caught:
        stream.values[4:8]
    assert caught.value.where == "kind 'gaze' of lab-gaze 1.2"


def test_a_lazy_stream_that_is_held_in_memory_is_checked(gaze, tmp_path):
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.1},
            "streams": {"gaze": {"kind": "behavior", "path": "x"}},
        }
    )
    always = lazily(lambda values, mask, first: (values * np.nan, mask))
    with pytest.raises(PluginError, match="nan at 0 s in channel 'x'"):
        Settler(config, tmp_path, None, 1, None).settle(
            "gaze", 0, GRID, load_checked(gaze, always, GRID)
        )


def test_what_a_worker_loads_is_checked_too(install, demo, run_on):
    install("lab-gaze", GAZE, kind="gaze", what="Gaze")  # its "source" is no function here
    config = run_on(demo, {"eye": {"kind": "gaze", "path": "units"}})
    with pytest.raises(PluginError, match="object is not callable") as caught:
        load_stream(config, root=demo.parent, name="eye", session=0, grid=GRID)
    assert caught.value.where == "kind 'gaze' of lab-gaze 1.2"
