"""How fast calcium indicators are: published kinetics, and what lies outside physiology."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from neurodsr.errors import DataError

DECAYS = (0.02, 10.0)
"""Shortest and longest decay time constant that an indicator in a cell may have, s."""


class Indicator(NamedTuple):
    r"""The response of a calcium indicator to one action potential, times in s.

    `rise` and `decay` are those of the difference of exponentials $e^{-t/d} - e^{-t/r}$ that has
    the published time to peak, and falls to half of it in the published time after the peak.
    """

    rise: float
    decay: float
    time_to_peak: float
    half_decay: float
    source: str


_CHEN = "Chen et al. 2013, Nature 499:295-300, Supplementary Table 3 (mouse V1 in vivo)"
_ZHANG = "Zhang et al. 2023, Nature 615:884-891 (table on janelia.org/jgcamp8-calcium-indicators)"

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {
        "GCaMP6f": Indicator(0.0175, 0.178, 0.045, 0.142, _CHEN),
        "GCaMP6s": Indicator(0.0706, 0.686, 0.179, 0.550, _CHEN),
        "jGCaMP7f": Indicator(0.0665, 0.159, 0.0995, 0.1819, _ZHANG),
        "jGCaMP8f": Indicator(0.0106, 0.0809, 0.0248, 0.0674, _ZHANG),
        "jGCaMP8m": Indicator(0.00983, 0.156, 0.0290, 0.1183, _ZHANG),
        "jGCaMP8s": Indicator(0.0171, 0.417, 0.0570, 0.3067, _ZHANG),
    }
)
"""Indicators by name, as means over cells: where a fit starts, not what holds in every recording,
since kinetics vary with cell type, temperature and expression. jGCaMP7f (Dana et al. 2019, Nature
Methods 16:649-657) was the control that jGCaMP8 was measured beside. GCaMP6m and OGB-1 are not
listed, for want of both numbers from one source; a configuration can give the times themselves."""


def kernel_length(decay: float, rise: float, *, spread: float = 1.0) -> float:
    """How long a response is followed, s: four decays and the rise.

    Where both may be learned up to `spread` times as long, three of the longest decays if that is
    more: 5 % of the slowest response is left out, 2 % of the one to start from.
    """
    return max(4 * decay, 3 * spread * decay) + spread * rise


def require_physiological(decay: float, rise: float, *, where: str = "") -> None:
    """Refuse time constants that no calcium indicator in a cell has.

    Parameters
    ----------
    decay, rise
        Time constants, s; a rise of 0 is instantaneous.
    where
        File, stream or key that they are from.

    Raises
    ------
    DataError
        The decay is outside 0.02 to 10 s, or the rise is negative or not shorter than the decay.
    """
    low, high = DECAYS
    if not low <= decay <= high:
        raise DataError(
            f"a calcium decay time constant of {decay:g} s, outside {low:g} to {high:g} s",
            where=where,
            fix="give it in s, not in ms or bins; a half-decay time is 0.69 of it",
        )
    if not 0 <= rise < decay:
        raise DataError(
            f"a calcium rise time constant of {rise:g} s at a decay of {decay:g} s",
            where=where,
            fix="give a rise from 0 (instantaneous) to below the decay, both in s",
        )
