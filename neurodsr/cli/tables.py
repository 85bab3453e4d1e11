"""Tables for a person at a terminal: plain cells, never markup that a file could smuggle in."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurodsr.cli.output import clean_text
from neurodsr.report.text import format_number

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from neurodsr.evaluation.results import Evaluation, Measure
    from neurodsr.ingest.inspection import Inspection, StreamInspection
    from neurodsr.modalities.base import Modality
    from neurodsr.modalities.registry import Plugin
    from neurodsr.pipeline.doctor import Installation
    from neurodsr.pipeline.validate import Validation

# A pipe has no width; a table squeezed to 80 columns would break the paths a script looks for.
PIPE_WIDTH = 1000


def print_table(table: Table) -> None:
    """A table on stdout, as wide as the terminal, or as wide as it needs in a pipe or file."""
    console = Console(file=sys.stdout)
    if console.is_terminal:
        console.print(table)
        return
    plain = Console(file=io.StringIO(), width=PIPE_WIDTH, color_system=None)
    plain.print(table)
    for line in plain.file.getvalue().splitlines():
        print(line.rstrip())


def make_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table whose cells are shown letter by letter, cleaned and capped."""
    table = Table(title=Text(clean_text(title)), box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_text(cell)) for cell in row))
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


def modality_table(modality: type[Modality]) -> Table:
    """Every field of a modality, with its default and what it means."""
    required = [name for name, field in modality.model_fields.items() if field.is_required()]
    rows = [
        (
            name,
            "required" if name in required else repr(field.get_default(call_default_factory=True)),
            field.description or "",
        )
        for name, field in modality.model_fields.items()
    ]
    return make_table("Fields", ("key", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else repr(field.get_default(call_default_factory=True))


def installation_table(installation: Installation) -> Table:
    """Versions, processors, accelerator and plug-ins of this installation."""
    rows = [
        ("system", installation.system),
        ("processors", installation.processors),
        ("threads of torch", installation.threads),
        ("device", installation.device),
        *installation.versions.items(),
        *((f"plug-in {p.kind}", p.problem or "imports") for p in installation.plugins),
    ]
    return make_table("Installation", ("what", "found"), rows)


def finding_table(validation: Validation) -> Table:
    """What is wrong with a file or folder, and how to mend it."""
    rows = [(f.severity, f.where, f.what, f.fix) for f in validation.findings]
    return make_table("Findings", ("severity", "where", "what", "fix"), rows)


def inspection_tables(inspection: Inspection) -> Iterator[Table]:
    """What a file holds: the session, everything that could be a stream, and the problems."""
    facts = (
        inspection.identifier,
        inspection.session_start,
        inspection.subject,
        inspection.species,
    )
    yield make_table(
        f"{inspection.file}: {', '.join(fact for fact in facts if fact)}",
        ("path", "type", "channels", "samples", "from", "to", "rate", "unit", "regions", "kind"),
        [_stream_row(stream) for stream in inspection.streams],
    )
    columns = [
        (column.path, column.n_levels, ", ".join(column.levels), column.proposed)
        for stream in inspection.streams
        for column in stream.columns
    ]
    if columns:
        yield make_table("Columns of interval tables", ("path", "levels", "", "kind"), columns)
    problems = [("file", problem) for problem in inspection.problems] + [
        (stream.path, problem) for stream in inspection.streams for problem in stream.problems
    ]
    if problems:
        yield make_table("Problems", ("where", "what"), problems)


def _stream_row(stream: StreamInspection) -> tuple[object, ...]:
    return (
        stream.path,
        stream.neurodata_type,
        stream.n_channels,
        stream.n_samples,
        _seconds(stream.start),
        _seconds(stream.stop),
        _rate(stream),
        stream.unit,
        ", ".join(stream.regions),
        f"{stream.proposed} {stream.observation}".strip(),
    )


def _seconds(time: float | None) -> str:
    return "–" if time is None else f"{time:.3f} s"


def _rate(stream: StreamInspection) -> str:
    if stream.kind == "events":
        return f"{format_number(stream.median_rate)} Hz median"
    return f"{format_number(stream.rate)} Hz" if stream.rate else "irregular"
