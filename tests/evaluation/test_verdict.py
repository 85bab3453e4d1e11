import pytest

from neurodsr.evaluation.forecast import Forecast
from neurodsr.evaluation.results import Measure
from neurodsr.evaluation.truth import TRUE_VALUE
from neurodsr.evaluation.verdict import MAX_SPECTRUM_EXCESS, judge

GOOD = Forecast(horizon=None, gain=None, shuffled=None, judged_at=5, value=0.4, low=0.3, high=0.5)


def truth(divergence=2.0, spectrum=0.1, exponent=0.95, true_exponent=0.906):
    value = lambda name, x, **more: Measure(name=name, value=x, better="lower", **more)  # noqa: E731
    return [
        value("aligned state-space divergence", divergence),
        value("aligned spectral distance", spectrum),
        value("largest exponent", exponent, baselines={TRUE_VALUE: true_exponent}),
        value("held-out state R2", 0.9),
    ]


def failed(verdict):
    return [c.name for c in verdict.checks if not c.passed]


def test_a_healthy_member_reconstructs(summary):
    verdict = judge(summary(), GOOD, spectrum_floor=0.02)
    assert verdict.reconstructed
    assert len(verdict.checks) == 5
    assert verdict.sentence == (
        "Reconstructed: run freely, the surrogate keeps the geometry and the time structure of "
        "the recording."
    )


@pytest.mark.parametrize(
    ("fields", "check", "said"),
    [
        ({"dead": 1 / 32}, "dead starts", "some long free runs end in a fixed point"),
        ({"self_divergence": 1.01}, "self-divergence", "does not visit the states"),
        ({"self_spectrum": 0.18}, "spectral distance", "does not have the rhythms"),
        ({"consistency": 0.11}, "one-step residual", "does not follow from the present"),
    ],
)
def test_any_check_of_the_member_that_fails_alone_decides(summary, fields, check, said):
    verdict = judge(summary(**fields), GOOD, spectrum_floor=0.02)
    assert not verdict.reconstructed
    assert failed(verdict) == [check]
    assert verdict.sentence.startswith("Not reconstructed: ")
    assert said in verdict.sentence


@pytest.mark.parametrize(
    ("forecast", "said"),
    [
        (None, "too short to tell"),
        (GOOD._replace(low=0.0), "no better than a constant"),
        (GOOD._replace(low=-0.1), "no better than a constant"),
    ],
)
def test_a_forecast_that_may_be_worth_nothing_decides(summary, forecast, said):
    verdict = judge(summary(), forecast, spectrum_floor=0.02)
    assert failed(verdict) == ["forecast gain (95 % lower bound)"]
    assert said in verdict.sentence


def test_rhythms_are_judged_above_what_two_stretches_of_data_differ_by(summary):
    member, least = summary(self_spectrum=0.25), 0.25 - MAX_SPECTRUM_EXCESS
    assert not judge(member, GOOD, spectrum_floor=least - 0.001).reconstructed
    assert judge(member, GOOD, spectrum_floor=least + 0.001).reconstructed


def test_a_truth_that_is_met_adds_three_checks(summary):
    verdict = judge(summary(), GOOD, spectrum_floor=0.02, truth=truth())
    assert verdict.reconstructed
    assert len(verdict.checks) == 8


@pytest.mark.parametrize(
    ("wrong", "check", "said"),
    [
        ({"divergence": 4.1}, "aligned state-space divergence", "attractor differs"),
        ({"spectrum": 0.16}, "aligned spectral distance", "rhythms differ from the true"),
        ({"exponent": 0.67}, "relative error of the largest exponent", "at another rate"),
        ({"exponent": 1.14}, "relative error of the largest exponent", "at another rate"),
        ({"exponent": -0.906}, "relative error of the largest exponent", "at another rate"),
    ],
)
def test_any_check_of_the_truth_that_fails_alone_decides(summary, wrong, check, said):
    verdict = judge(summary(), GOOD, spectrum_floor=0.02, truth=truth(**wrong))
    assert failed(verdict) == [check]
    assert said in verdict.sentence


def test_a_true_exponent_of_zero_has_no_relative_error(summary):
    """A limit cycle: nothing to divide by, so geometry and rhythms judge alone."""
    verdict = judge(summary(), GOOD, spectrum_floor=0.02, truth=truth(true_exponent=0.0))
    assert verdict.reconstructed
    assert len(verdict.checks) == 7


def test_the_sentence_gives_the_first_reason_and_the_checks_all(summary):
    verdict = judge(summary(dead=1.0, consistency=0.5), None, spectrum_floor=0.02)
    assert len(failed(verdict)) == 3
    assert "fixed point" in verdict.sentence


def test_every_check_says_its_number_its_bound_and_what_a_failure_means(summary):
    for check in judge(summary(), GOOD, spectrum_floor=0.02, truth=truth()).checks:
        assert check.value is not None
        assert check.rule.startswith(("<= ", "> 0"))
        assert check.meaning.endswith(".")
