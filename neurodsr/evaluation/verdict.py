"""The verdict and its rule: every check is a number, a bound, and what a failure means.

No single number settles it: a member that died forecasts as well as a live one, time-shuffled
data pass the self-check, and noise passes none but the geometry. All checks together do.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurodsr.evaluation.forecast import Forecast
from neurodsr.evaluation.results import Check, Measure, MemberSummary, Verdict
from neurodsr.evaluation.truth import TRUE_VALUE

MAX_DIVERGENCE = 0.5
MAX_SPECTRUM_EXCESS = 0.1
MAX_CONSISTENCY = 0.1
MAX_ALIGNED_DIVERGENCE = 4.0
MAX_ALIGNED_SPECTRUM = 0.15
MAX_EXPONENT_ERROR = 0.25


def judge(
    chosen: MemberSummary,
    forecast: Forecast | None,
    *,
    spectrum_floor: float,
    truth: Iterable[Measure] = (),
) -> Verdict:
    """Apply the rule to the chosen member; with a known truth, its checks count as well."""
    checks = [*_blind_checks(chosen, forecast, spectrum_floor), *_truth_checks(list(truth))]
    failed = [c for c in checks if not c.passed]
    if failed:
        sentence = f"Not reconstructed: {failed[0].meaning[0].lower()}{failed[0].meaning[1:]}"
    else:
        sentence = (
            "Reconstructed: run freely, the surrogate keeps the geometry and the time "
            "structure of the recording."
        )
    return Verdict(reconstructed=not failed, sentence=sentence, checks=tuple(checks))


def _blind_checks(
    chosen: MemberSummary, forecast: Forecast | None, spectrum_floor: float
) -> list[Check]:
    bound = spectrum_floor + MAX_SPECTRUM_EXCESS
    return [
        _at_most(
            "dead starts",
            chosen.dead,
            0.0,
            "Some long free runs end in a fixed point, a small cycle or infinity.",
        ),
        _at_most(
            "self-divergence",
            chosen.self_divergence,
            MAX_DIVERGENCE,
            "The free run does not visit the states that the data visit.",
        ),
        _at_most(
            "spectral distance",
            chosen.self_spectrum,
            bound,
            "The free run does not have the rhythms of the data.",
        ),
        _at_most(
            "one-step residual",
            chosen.consistency,
            MAX_CONSISTENCY,
            "The next latent state does not follow from the present one.",
        ),
        Check(
            name="forecast gain (95 % lower bound)",
            value=None if forecast is None else forecast.low,
            rule="> 0 nats per bin"
            + ("" if forecast is None else f", {forecast.judged_at} bins after the last one seen"),
            passed=forecast is not None and forecast.low > 0,
            meaning="Forecasts of held-out bins are no better than a constant."
            if forecast is not None
            else "The test stretch is too short to tell whether forecasts hold.",
        ),
    ]


def _truth_checks(measures: list[Measure]) -> list[Check]:
    by_name = {m.name: m for m in measures}
    if not by_name:
        return []
    checks = [
        _at_most(
            "aligned state-space divergence",
            by_name["aligned state-space divergence"].value,
            MAX_ALIGNED_DIVERGENCE,
            "The generated attractor differs from the true one.",
        ),
        _at_most(
            "aligned spectral distance",
            by_name["aligned spectral distance"].value,
            MAX_ALIGNED_SPECTRUM,
            "The generated rhythms differ from the true ones.",
        ),
    ]
    exponent = by_name["largest exponent"]
    true = exponent.baselines[TRUE_VALUE]
    if true:  # that of a true limit cycle is 0, of which no error is a fraction
        checks.append(
            _at_most(
                "relative error of the largest exponent",
                None if exponent.value is None else abs(exponent.value / true - 1),
                MAX_EXPONENT_ERROR,
                "Nearby orbits separate at another rate than in the true system.",
            )
        )
    return checks


def _at_most(name: str, value: float | None, bound: float, meaning: str) -> Check:
    passed = value is not None and value <= bound
    return Check(name=name, value=value, rule=f"<= {bound:.3g}", passed=passed, meaning=meaning)
