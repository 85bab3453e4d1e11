"""The matrix of what streams tell of each other, as a table."""

from neurodsr.evaluation.results import CrossModalScore
from neurodsr.report.crossing import beats_constant, crossing


def score(given, predicted, value, *, constant=0.0, better="higher", name="r2"):
    return CrossModalScore(
        given=tuple(given), predicted=predicted, score=name, better=better, value=value,
        constant=constant,
    )  # fmt: skip


SCORES = [
    score("a", "a", 0.5),
    score("a", "b", 1.4, constant=1.6, better="lower", name="circular_error"),
    score("b", "a", -0.1),
    score("b", "b", None, constant=None, better="lower", name="circular_error"),
]


def test_columns_are_the_predicted_streams_with_their_measures():
    matrix = crossing(SCORES)
    assert matrix.predicted == ("a", "b")
    assert matrix.measures == ("r2, higher is better", "circular error, lower is better")
    assert [(row.given, row.cells) for row in matrix.rows] == [
        ("a", ((0.5, True), (1.4, True))),
        ("b", ((-0.1, False), (None, False))),
    ]


def test_a_row_for_all_others_has_no_gap_where_every_stream_is_predicted():
    others = [score("bc", "a", 0.7), score("ac", "b", 0.1), score("ab", "c", 0.2)]
    (row,) = crossing(others).rows
    assert row.given == "all others"
    assert [cell.value for cell in row.cells] == [0.7, 0.1, 0.2]


def test_what_was_not_scored_is_an_empty_cell():
    matrix = crossing([score("a", "b", 0.5), score("b", "a", 0.5)])
    assert [cell.value for row in matrix.rows for cell in row.cells] == [0.5, None, None, 0.5]


def test_an_error_beats_the_constant_one_where_it_is_smaller():
    assert beats_constant(score("a", "b", 1.0, constant=1.5, better="lower"))
    assert not beats_constant(score("a", "b", 1.0, constant=0.5, better="lower"))
    assert not beats_constant(score("a", "b", None))
