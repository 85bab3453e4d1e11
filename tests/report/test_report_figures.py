"""The figures: drawn from odd inputs, the same bytes always, nothing global touched."""

import base64

import matplotlib
import numpy as np
import pytest

from neurodsr.report.build import summarize_recording
from neurodsr.report.excerpts import read_excerpts
from neurodsr.report.figures.canvas import picture
from neurodsr.report.figures.dynamics import forecast_picture, lyapunov_picture, spectra_picture
from neurodsr.report.figures.orbits import attractor_picture
from neurodsr.report.figures.streams import fit_picture, raster_picture


def is_image(drawing):
    head = base64.b64decode(drawing.url.split(",")[1])[:8]
    return head.startswith((b"<?xml", b"\x89PNG"))


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_orbits_of_any_dimension_are_drawn(dim):
    orbit = np.random.default_rng(0).normal(size=(300, dim))
    assert is_image(attractor_picture(orbit, orbit + 1, reference="Data").wide)


def test_a_surrogate_stuck_on_a_fixed_point_or_gone_to_infinity_is_drawn():
    data = np.random.default_rng(0).normal(size=(300, 3))
    assert is_image(attractor_picture(data, np.zeros((300, 3)), reference="Data").wide)
    escaped = data.copy()
    escaped[10:] = np.inf
    escaped[5] = 1e30
    assert is_image(attractor_picture(data, escaped, reference="Data").narrow)


def test_orbits_without_a_finite_point_are_refused_in_words():
    with pytest.raises(ValueError, match="no finite point"):
        attractor_picture(np.full((3, 3), np.nan), np.zeros((3, 3)), reference="Data")


def test_a_heavy_drawing_becomes_a_png_and_a_light_one_stays_a_drawing():
    points = np.random.default_rng(0).normal(size=(20_000, 2))
    heavy = picture(
        lambda figure: figure.subplots().plot(*points.T),
        alt="",
        caption="",
        height=2,
        narrow_height=2,
    )
    light = picture(
        lambda figure: figure.subplots().plot([0, 1]),
        alt="",
        caption="",
        height=2,
        narrow_height=2,
    )
    assert heavy.wide.url.startswith("data:image/png;")
    assert light.wide.url.startswith("data:image/svg+xml;")


def test_drawing_leaves_matplotlib_as_it_was_and_does_not_read_its_settings():
    def draw(figure):
        figure.subplots().plot([0, 1])

    first = picture(draw, alt="", caption="", height=2, narrow_height=2)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = matplotlib.rcParams.copy()
        assert picture(draw, alt="", caption="", height=2, narrow_height=2) == first
        assert matplotlib.rcParams == before


def test_spectra_with_zeros_and_more_than_six_dimensions_say_what_is_left_out():
    frequency = np.linspace(0, 10, 50)
    power = np.random.default_rng(0).random((50, 8))
    power[3] = 0
    drawn = spectra_picture(frequency, power, power)
    assert "first 6 of 8 dimensions" in drawn.caption
    assert is_image(drawn.wide)


def test_exponents_are_drawn_without_a_spread_and_with_many_latents():
    drawn = lyapunov_picture(
        tuple(np.linspace(1, -5, 20)),
        (),
        time=np.arange(1.0, 50),
        running=np.random.default_rng(0).normal(size=(49, 20)),
        true_exponent=None,
    )
    assert is_image(drawn.narrow)


def test_a_forecast_is_drawn_without_its_control():
    horizon = np.arange(1.0, 20)
    assert is_image(forecast_picture(horizon, 1 / horizon, None).wide)


def test_a_stream_never_observed_in_the_excerpt_is_drawn(sample):
    recording = sample.recording(n_bins=700)
    arrays = sample.arrays(recording)
    for name in recording.streams:
        arrays[f"raster/{name}/mask"][:] = False
        arrays[f"raster/{name}/predicted"][:] = np.nan
    excerpts = read_excerpts(summarize_recording(recording, {}), arrays)
    assert is_image(raster_picture(excerpts).wide)
    assert all(is_image(fit_picture(e).wide) for e in excerpts)


def test_an_excerpt_of_some_channels_and_without_a_mask_is_drawn(sample):
    recording = sample.recording(n_bins=700)
    values = np.ones((100, 5))
    arrays = {"raster/time": np.arange(100.0), "raster/ca1-probe/values": values}
    (excerpt,) = read_excerpts(summarize_recording(recording, {}), arrays)
    assert excerpt.mask.all()
    assert is_image(raster_picture([excerpt]).wide)
