"""What `neurodsr inspect` prints: one table of streams, and tables of what else was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from neurodsr.cli.tables import make_table
from neurodsr.ingest.candidates import Candidate
from neurodsr.ingest.inspect_files import SharedStream
from neurodsr.ingest.inspect_streams import family
from neurodsr.ingest.inspection import Anatomy, ColumnInspection, Inspection, StreamInspection
from neurodsr.ingest.propose import choose
from neurodsr.report.text import format_duration, format_number

MIN_ALIKE = 4
MAX_ROWS = 60
MAX_STREAMS = 8
MAX_REGIONS = 12
FEW = 3
LONG = 600

STREAM_COLUMNS = (
    "path", "type", "channels", "samples", "time", "rate", "unit", "gaps", "modality", "proposed",
)  # fmt: skip
ANATOMY_COLUMNS = (
    "path", "regions (channels)", "positions", "unit", "space", "side, cell type", "from",
)  # fmt: skip


def inspection_tables(inspection: Inspection) -> Iterator[Table]:
    """What a file holds: everything that could be a stream, its places, columns and problems."""
    groups = alike(inspection.streams)
    used = {path: c for c in choose([inspection]) for path in c.paths}
    rows = [(name, *_stream_row(stream, used.get(stream.path))) for name, stream in groups]
    yield make_table(_title(inspection), STREAM_COLUMNS, _capped(rows))
    places = [(n, *_anatomy_row(s.anatomy)) for n, s in groups if s.anatomy is not None]
    if places:
        yield make_table("Where the channels lie", ANATOMY_COLUMNS, _capped(places))
    columns = [
        (c.path, _values(c), c.n_levels, c.n_missing or "", _proposal(used.get(c.path)))
        for _, stream in groups
        for c in stream.columns
    ]
    if columns:
        head = ("path", "values", "different", "missing", "proposed")
        yield make_table("Columns, to select rows by or to use as labels", head, _capped(columns))
    if inspection.inputs:
        inputs = [(i.config.path, i.name, i.config.unit, i.reason) for i in inspection.inputs]
        yield make_table("Inputs to the brain", ("path", "name", "unit", "what"), inputs)
    problems = _problems(inspection)
    if problems:
        yield make_table("Problems", ("where", "what"), _capped(problems), limit=LONG)


def session_table(inspections: Sequence[Inspection], shared: Sequence[SharedStream]) -> Table:
    """Sessions against streams: how many channels of each stream each file has."""
    shown = shared[:MAX_STREAMS]
    more = len(shared) - len(shown)
    title = "Sessions and streams: channels of each stream, – where a file lacks it"
    if more:
        title += f"; {more} more streams are not shown, --json lists all"
    rows = [
        (
            inspection.file,
            _session_name(inspection),
            *("–" if s.n_channels[k] is None else s.n_channels[k] for s in shown),
        )
        for k, inspection in enumerate(inspections)
    ]
    return make_table(title, ("file", "session", *(s.path for s in shown)), rows)


def alike(streams: Sequence[StreamInspection]) -> list[tuple[str, StreamInspection]]:
    """A name and an example for each stream; many that differ in a number only share one line."""
    groups: dict[object, list[StreamInspection]] = {}
    for stream in streams:
        key = (family(stream.path), stream.kind, stream.neurodata_type, stream.n_channels,
               stream.unit, stream.modality, stream.regions)  # fmt: skip
        groups.setdefault(key, []).append(stream)
    shown = []
    for group in groups.values():
        if len(group) < MIN_ALIKE:
            shown += [(stream.path, stream) for stream in group]
        else:
            name = f"{group[0].path} ... {group[-1].path} ({len(group)} alike)"
            shown.append((name, group[0]))
    return shown


def _capped(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The first rows, and how many there are beyond them."""
    more = len(rows) - MAX_ROWS
    return [*rows[:MAX_ROWS], (f"and {more} more; --json lists all",)] if more > 0 else rows


def _title(inspection: Inspection) -> str:
    facts = (
        inspection.identifier,
        inspection.session_start,
        inspection.subject,
        inspection.species,
        _size(inspection.size),
        "" if inspection.sha256 else "too large for a checksum",
    )
    return f"{inspection.file}: {', '.join(fact for fact in facts if fact)}"


def _size(n_bytes: int) -> str:
    """A file's size in the unit a person would choose."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{format_number(n_bytes / size)} {unit}"
    return f"{n_bytes} bytes"


def _session_name(inspection: Inspection) -> str:
    return "/".join(filter(None, (inspection.subject, inspection.identifier)))


def _values(column: ColumnInspection) -> str:
    """The values of a column if they are few, else from where to where they go."""
    if column.n_levels <= len(column.levels):
        return ", ".join(column.levels)
    if column.extent is not None:
        return f"{column.extent[0]:.6g} to {column.extent[1]:.6g}"
    return ", ".join([*column.levels[:FEW], "..."])


def _stream_row(stream: StreamInspection, used: Candidate | None) -> tuple[object, ...]:
    return (
        f"{stream.kind}: {stream.neurodata_type}",
        stream.n_channels,
        stream.n_samples,
        _time(stream),
        _rate(stream),
        stream.unit,
        _gaps(stream),
        _modality(stream),
        _proposal(used) or _waiting(stream),
    )


def _time(stream: StreamInspection) -> str:
    if stream.start is None or stream.duration is None:
        return "unknown"
    return f"{stream.start:.3f} to {stream.stop:.3f} s ({format_duration(stream.duration)})"


def _rate(stream: StreamInspection) -> str:
    if stream.kind == "events":
        return f"{format_number(stream.median_rate)} Hz median"
    if stream.kind == "intervals":
        return ""
    if stream.start is None:
        return "unknown"
    if stream.rate:
        return f"{format_number(stream.rate)} Hz"
    mean = (stream.n_samples - 1) / stream.duration if stream.duration else None
    return f"irregular, mean {format_number(mean)} Hz"


def _gaps(stream: StreamInspection) -> str:
    if not stream.gaps:
        return ""
    longest = max(stop - start for start, stop in stream.gaps)
    return f"{len(stream.gaps)}, longest {format_duration(longest)}"


def _modality(stream: StreamInspection) -> str:
    """What fits it, and what stands in the way."""
    if not stream.modality:
        return ""
    remarks = []
    if stream.by_name:
        remarks.append("by name")
    if not stream.installed:
        remarks.append("not installed")
    if not stream.usable and not stream.needs_clock:
        remarks.append("cannot be read")
    return f"{stream.modality} ({', '.join(remarks)})" if remarks else stream.modality


def _proposal(used: Candidate | None) -> str:
    """What `init` would write of a stream beside its path; empty if it would leave it out."""
    if used is None:
        return ""
    settings = {k: v for k, v in used.config.items() if k not in ("kind", "path", "clock")}
    return ", ".join([used.config["kind"], *(f"{k}: {_setting(v)}" for k, v in settings.items())])


def _setting(value: object) -> str:
    if isinstance(value, Mapping):
        return " and ".join(f"{name} {wanted}" for name, wanted in value.items())
    return str(len(value)) if isinstance(value, list) else str(value)


def _waiting(stream: StreamInspection) -> str:
    """What `init` would write once it is told when the samples were taken."""
    waits = stream.proposed and stream.needs_clock and stream.clock is None
    return f"{stream.proposed}, once a rate is given" if waits else ""


def _anatomy_row(anatomy: Anatomy) -> tuple[object, ...]:
    regions = [f"{name} ({n})" for name, n in anatomy.regions.items()]
    more = len(regions) - MAX_REGIONS
    if more > 0:
        regions = [*regions[:MAX_REGIONS], f"and {more} more"]
    if anatomy.n_unlabeled:
        regions.append(f"unknown ({anatomy.n_unlabeled})")
    kinds = [f"{name} ({n})" for name, n in [*anatomy.hemispheres.items(),
                                             *anatomy.cell_types.items()]]  # fmt: skip
    return (
        ", ".join(regions),
        anatomy.n_located,
        ", ".join(anatomy.position_units),
        ", ".join(anatomy.spaces),
        ", ".join(kinds[:MAX_REGIONS]),
        ", ".join(anatomy.sources),
    )


def _problems(inspection: Inspection) -> list[tuple[str, str]]:
    """Every problem once, with where it was found, the file itself first."""
    found: dict[str, list[str]] = {}
    for stream in inspection.streams:
        for problem in stream.problems:
            found.setdefault(problem, []).append(stream.path)
    rows = [("file", problem) for problem in inspection.problems]
    for problem, paths in found.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        rows.append((paths[0] + more, problem))
    return rows
