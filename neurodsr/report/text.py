"""Strings from files made safe to show, and numbers made readable."""

from __future__ import annotations

import math
import re
import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_SPACE = {"Zl", "Zp"}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain_text(value: str, *, limit: int | None = 200) -> str:
    """A string without control, formatting or direction marks, on one line, cut at `limit`.

    A channel name in a file can hold terminal escapes, marks that turn the reading direction
    around, or megabytes; none of these may reach a page or a figure.
    """
    if limit is not None:
        value = value[: 20 * limit]  # a megabyte name must not cost a megabyte of work
    shown = "".join(_visible(c) for c in value)
    shown = re.sub(r"[ \t\n]+", " ", shown) if limit is not None else shown
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category in _SPACE:
        return " "
    return "" if category in _INVISIBLE else character


def format_number(value: float | None, *, digits: int = 3) -> str:
    """A number with `digits` significant digits as a person writes it; an en dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e6:
        return _signed(f"{int(value):,}".replace(",", "\u2009"))
    if not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return _signed(f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _signed(f"{value:.{decimals}f}")


def format_percent(value: float | None) -> str:
    """A fraction as percent; an en dash for none."""
    return "–" if value is None else f"{format_number(100 * value)}\u00a0%"


def format_duration(seconds: float) -> str:
    """A stretch of time in the unit a person would choose, from ms to h."""
    if seconds < 1:
        return f"{format_number(1000 * seconds)}\u00a0ms"
    if seconds < 120:
        return f"{format_number(seconds)}\u00a0s"
    return f"{seconds / 60:.1f}\u00a0min" if seconds < 7200 else f"{seconds / 3600:.1f}\u00a0h"


def count_of(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one: "3 streams"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def power_of_ten(value: float) -> str:
    """A decade as the tick of an axis shows it: 0.1, 1, 10 or 10⁻⁵."""
    if 0.01 <= value <= 1000:
        return f"{value:g}"
    return f"10{str(round(math.log10(value))).translate(_SUPERSCRIPT)}"


def _signed(digits: str) -> str:
    return digits.replace("-", "\u2212", 1) if digits.startswith("-") else digits
