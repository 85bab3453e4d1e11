"""Tables for a person at a terminal: plain cells, never markup that a file could smuggle in."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from neurodsr.cli.output import clean_text
from neurodsr.report.text import format_number

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from neurodsr.evaluation.results import Evaluation, Measure
    from neurodsr.modalities.base import Modality
    from neurodsr.modalities.health import PluginHealth
    from neurodsr.modalities.plugins import Plugin
    from neurodsr.pipeline.doctor import Installation
    from neurodsr.pipeline.validate import Validation
    from neurodsr.testing.checks import CheckResult

# A pipe has no width; a table squeezed to 80 columns would break the paths a script looks for.
PIPE_WIDTH = 1000
WIDE = 6  # columns from which on a table that does not fit is printed row by row


def print_table(table: Table) -> None:
    """A table on stdout, as wide as the terminal, or as wide as it needs in a pipe or file.

    One of many columns that is wider than the terminal is printed row by row instead.
    """
    console = Console(file=sys.stdout)
    if console.is_terminal:
        broad = len(table.columns) >= WIDE and console.measure(table).maximum >= console.width
        console.print(_records(table) if broad and table.rows else table)
        return
    plain = Console(file=io.StringIO(), width=PIPE_WIDTH, color_system=None)
    plain.print(table)
    for line in plain.file.getvalue().splitlines():
        print(line.rstrip())


def _records(table: Table) -> Group:
    """The rows of a table one below another: the name, then what is known of it."""
    heads = [str(column.header) for column in table.columns]
    lines: list[RenderableType] = [table.title or "", ""]
    for name, *cells in zip(*(column.cells for column in table.columns), strict=True):
        known = [f"{h} {c}".strip() for h, c in zip(heads[1:], cells, strict=True) if str(c)]
        lines += [name, Padding(Text("; ".join(known)), (0, 0, 0, 4))]
    return Group(*lines, "")


def make_table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], *, limit: int = 200
) -> Table:
    """A table whose cells are shown letter by letter, cleaned and cut at `limit` characters."""
    # Not broken into lines: a name from a file could make one of them look like ours.
    head = Text(clean_text(title), no_wrap=True, overflow="ignore")
    table = Table(title=head, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_text(cell, limit=limit)) for cell in row))
    return table


_GOOD = {
    "lower": "lower is better",
    "higher": "higher is better",
    "equal": "close to the floor is better",
}


def verdict_table(evaluation: Evaluation) -> Table:
    """The conditions of the verdict, each with its number and what a failure means."""
    rows = [
        (
            "yes" if check.passed else "NO",
            check.name,
            format_number(check.value),
            check.rule,
            "" if check.passed else check.meaning,
        )
        for check in evaluation.verdict.checks
    ]
    return make_table("Verdict", ("holds", "check", "value", "rule", "if not"), rows)


def measure_table(evaluation: Evaluation) -> Table:
    """Every measure of the chosen member beside its floor and its baselines."""
    rows = [
        (
            measure.name,
            _value(measure),
            _interval(measure),
            format_number(measure.floor),
            ", ".join(f"{name} {format_number(v)}" for name, v in measure.baselines.items()),
            _GOOD[measure.better],
        )
        for measure in evaluation.measures
    ]
    return make_table("Measures", ("measure", "value", "interval", "floor", "baselines", ""), rows)


def fit_table(evaluation: Evaluation) -> Table:
    """How well held-out data of each stream are predicted."""
    rows = [
        (
            fit.stream,
            fit.kind,
            fit.task,
            ", ".join(f"{name} {format_number(v)}" for name, v in fit.scores.items()),
            ", ".join(f"{name} {format_number(v)}" for name, v in fit.baselines.items()),
        )
        for fit in evaluation.streams
    ]
    return make_table("Held-out data", ("stream", "kind", "task", "scores", "baselines"), rows)


def _value(measure: Measure) -> str:
    return f"{format_number(measure.value)} {measure.unit}".strip()


def _interval(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return ""
    return f"{format_number(measure.low)} to {format_number(measure.high)}"


def plugin_table(plugins: Iterable[Plugin]) -> Table:
    """The installed modalities and the packages that bring them."""
    rows = [(p.kind, p.distribution, p.version) for p in plugins]
    return make_table("Modalities", ("kind", "package", "version"), rows)


def health_table(plugins: Iterable[PluginHealth]) -> Table:
    """How the import of each plug-in went."""
    rows = [
        (p.kind, p.distribution, p.version, p.api_version, f"{p.seconds:.2f}", p.state, p.problem)
        for p in plugins
    ]
    columns = ("kind", "package", "version", "API", "seconds", "state", "problem")
    return make_table("Plug-ins", columns, rows)


def check_table(kind: str, results: Iterable[CheckResult]) -> Table:
    """What the conformance kit found of a modality."""
    rows = [(r.name, _outcome(r), r.message) for r in results]
    return make_table(f"Checks of {kind}", ("check", "result", "message"), rows, limit=1000)


def _outcome(result: CheckResult) -> str:
    return "FAILED" if result.failed else "passed" if result.passed else "skipped"


def modality_table(modality: type[Modality]) -> Table:
    """Every field of a modality, with its default and what it means."""
    rows = [
        (
            name,
            _default(field),
            field.description or "",
        )
        for name, field in modality.model_fields.items()
    ]
    return make_table("Fields", ("key", "default", "meaning"), rows, limit=1000)


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else repr(field.get_default(call_default_factory=True))


def installation_table(installation: Installation) -> Table:
    """Versions, processors, accelerator and plug-ins of this installation."""
    rows = [
        ("system", installation.system),
        ("processors", installation.processors),
        ("threads of torch", f"{installation.threads}; training: 1 a model, a process a core"),
        ("device", installation.device),
        ("kernels", installation.kernels),
        *installation.versions.items(),
        *((f"plug-in {p.kind}", p.problem or p.state) for p in installation.plugins),
    ]
    return make_table("Installation", ("what", "found"), rows)


def finding_table(validation: Validation) -> Table:
    """What is wrong with a file or folder, and how to mend it."""
    rows = [(f.severity, f.where, f.what, f.fix) for f in validation.findings]
    return make_table("Findings", ("severity", "where", "what", "fix"), rows)
