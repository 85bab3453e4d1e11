"""Free texts on places and lengths: what is taken from them, and what is not guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.sources.nwb_locations import declared_length, declared_unit, parse_location

LISTED = "brain_region: Thalamus; brain_subregion: {}; hemisphere: {}; coordinate_ap: 2.50"


@pytest.mark.parametrize(
    ("raw", "region", "hemisphere"),
    [
        ("CA1", "CA1", ""),
        ("  VISp5 ", "VISp5", ""),
        ("NA", "NA", ""),
        ("unknown", "", ""),
        ("N/A", "", ""),
        ("", "", ""),
        (LISTED.format("N/A", "left"), "Thalamus", "left"),
        (LISTED.format("VM", "Right"), "VM", "right"),
        (LISTED.format("", "both"), "Thalamus", ""),
        ("brain_region: N/A; hemisphere: left", "", "left"),
        ("depth: 3.1 mm", "depth: 3.1 mm", ""),
    ],
)
def test_a_location_gives_region_and_hemisphere(raw, region, hemisphere):
    assert parse_location(raw) == (region, hemisphere)


@given(st.text())
def test_any_text_has_a_region_that_is_a_part_of_it(raw):
    region, hemisphere = parse_location(raw)
    assert region in raw
    assert hemisphere in ("left", "right", "")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("x coordinate (um)", "um"),
        ("x, in micrometers", "um"),
        ("x in \u00b5m", "um"),
        ("x in \u03bcm", "um"),
        ("distance from bregma (mm)", "mm"),
        ("Millimeters from the pia", "mm"),
        ("position in meters", "m"),
        ("x coordinate", "unknown"),
        ("position in the brain volume, a continuum of the medium", "unknown"),
        ("comment on the hammer", "unknown"),
        ("in mm, or in um for early sessions", "unknown"),
    ],
)
def test_a_unit_counts_only_as_a_word_of_its_own_and_alone(text, unit):
    assert declared_unit(text) == unit


@pytest.mark.parametrize(
    ("unit", "said"), [("m", "m"), (" M ", "m"), ("um", "um"), ("n.a.", "unknown")]
)
def test_a_field_for_a_unit_may_be_a_single_letter(unit, said):
    assert declared_length(unit) == said
