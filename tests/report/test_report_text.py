"""Strings from files and numbers, as the report prints them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.report.text import (
    count_of,
    format_duration,
    format_number,
    format_percent,
    plain_text,
    power_of_ten,
)


@given(st.text(max_size=500))
def test_no_control_or_direction_mark_is_left_and_the_length_is_bounded(text):
    shown = plain_text(text)
    assert len(shown) <= 200
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn"}


def test_a_name_with_terminal_escapes_and_a_reversed_extension_is_shown_as_plain_text():
    assert plain_text("\x1b[31mCA1\u202egnp.exe\x00") == "[31mCA1gnp.exe"


def test_a_megabyte_name_is_cut_to_200_characters():
    shown = plain_text("é" * 10**6)
    assert len(shown) == 200
    assert shown.endswith("…")


def test_a_document_keeps_its_lines():
    assert plain_text("{\n  1\n}", limit=None) == "{\n  1\n}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "0"),
        (12345.0, "12\u2009345"),
        (-13.94, "−13.9"),
        (0.0841, "0.0841"),
        (2.2, "2.20"),
        (0.00012, "1.20×10⁻⁴"),
        (3.2e7, "3.20×10⁷"),
    ],
)
def test_a_number_is_written_with_three_significant_digits(value, shown):
    assert format_number(value) == shown


def test_fractions_durations_and_nouns_read_like_sentences():
    assert format_percent(0.125) == "12.5\u00a0%"
    assert format_percent(None) == "–"
    assert [format_duration(s) for s in (0.02, 40, 171, 9000)] == [
        "20\u00a0ms",
        "40\u00a0s",
        "2.9\u00a0min",
        "2.5\u00a0h",
    ]
    assert (count_of(1, "stream"), count_of(0, "stream")) == ("1 stream", "0 streams")
    assert [power_of_ten(x) for x in (0.1, 1, 1e-5)] == ["0.1", "1", "10⁻⁵"]
