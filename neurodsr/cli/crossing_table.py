"""The matrix of what each stream tells of each other one, for a terminal."""

from __future__ import annotations

from rich.table import Table

from neurodsr.cli.tables import make_table
from neurodsr.evaluation.results import Evaluation
from neurodsr.report.crossing import crossing
from neurodsr.report.text import format_number


def crossing_table(evaluation: Evaluation) -> Table:
    """Held-out data of each stream, predicted from each single one, and from all others."""
    matrix = crossing(evaluation.cross_modal)
    heads = [f"{p} ({m})" for p, m in zip(matrix.predicted, matrix.measures, strict=True)]
    rows = [(row.given, *(format_number(c.value) for c in row.cells)) for row in matrix.rows]
    rows.append(("constant prediction", *(format_number(v) for v in matrix.constant)))
    return make_table("From one stream to another", ("given", *heads), rows)
