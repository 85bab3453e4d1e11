"""docs/recordings.md says what becomes of each real recording; every row is compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from neurodsr.errors import DataError
from neurodsr.ingest import inspect
from neurodsr.ingest.ingest import ingest
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.inspection import StreamInspection
from neurodsr.ingest.propose import propose_config
from neurodsr.modalities.clock import ClockConfig
from neurodsr.run_config import RunConfig

ROOT = Path(__file__).parents[2]
NO_RECORDINGS = ("README", "LICENSE")


class Row(NamedTuple):
    """What one row of the table says of a file."""

    file: str
    read: dict[str, tuple[int, int, str]]
    used: str
    refused: list[tuple[str, str]]

    @property
    def options(self) -> dict:
        """What `init` needs to be told."""
        clock = ClockConfig(rate=10.0) if "`--rate`" in self.used else None
        for interval in re.findall(r"`--interval ([\d.]+)`", self.used):
            clock = ClockConfig(interval=float(interval))
        return {"clock": clock, "only": re.findall(r"`--path ([^`]+)`", self.used)}

    @property
    def streams(self) -> list[tuple[str, str]]:
        """Path, and kind with the kind of values, of the streams that the proposed run uses."""
        return re.findall(r"`([^`]+)` \(([a-z, ]+)\)", self.used)

    @property
    def inputs(self) -> list[str]:
        """The inputs that it proposes."""
        return re.findall(r"input `([^`]+)`", self.used)


def table() -> list[Row]:
    text = (ROOT / "docs" / "recordings.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in re.findall(r"^\| `.*\|$", text, re.M)]
    found = []
    for file, read, used, refused in ([cell.strip() for cell in row] for row in rows):
        streams = re.findall(r"`([^`]+)` (\d+) × (\d+)(?: (\w+))?", read)
        found.append(
            Row(
                file=file.strip("`"),
                read={path: (int(n), int(t), kind) for path, n, t, kind in streams},
                used=used,
                refused=re.findall(r'`([^`]+)`: "([^"]+)"', refused),
            )
        )
    return found


@pytest.fixture(autouse=True)
def built_in_kinds_alone(monkeypatch):
    """The table is of what neurodsr brings, whatever else is installed."""
    plugins = [p for p in inspect.list_plugins() if p.distribution == "neurodsr"]
    monkeypatch.setattr(inspect, "list_plugins", lambda: plugins)


every_row = pytest.mark.parametrize("row", table(), ids=lambda row: row.file)


def kind_of(stream: dict) -> str:
    return ", ".join(filter(None, [stream["kind"], stream.get("observation")]))


def readable(stream: StreamInspection) -> bool:
    return stream.usable or stream.needs_clock


def test_every_recording_has_its_row(shared_file):
    folder = shared_file("README.md").parent
    files = {f"{p.parent.name}/{p.name}" for p in folder.glob("*/*")}
    recordings = {f for f in files if not f.split("/")[1].startswith(NO_RECORDINGS)}
    assert {row.file for row in table()} == recordings
    assert len(table()) == len(recordings)


@every_row
def test_what_is_read_is_what_the_table_says(row, shared_file):
    streams = inspect_file(shared_file(row.file)).streams
    read = {
        s.path: (s.n_channels, s.n_samples, s.modality)
        for s in streams
        if readable(s) and s.neurodata_type != "column"
    }
    assert read == row.read


@every_row
def test_what_is_not_read_says_why(row, shared_file):
    streams = {s.path: s for s in inspect_file(shared_file(row.file)).streams}
    unread = {p for p, s in streams.items() if not readable(s) and s.neurodata_type != "column"}
    assert {path for path, _ in row.refused} == unread
    for path, reason in row.refused:
        assert any(reason in problem for problem in streams[path].problems), path


@every_row
def test_init_proposes_what_the_table_says_and_it_can_be_ingested(row, shared_file):
    file = shared_file(row.file)
    if not row.streams:
        with pytest.raises(DataError, match=r"\n  fix: "):
            propose_config(inspect_file(file))
        return
    proposed = propose_config(inspect_file(file, **row.options), root=file.parent)
    assert [(s["path"], kind_of(s)) for s in proposed["streams"].values()] == row.streams
    assert list(proposed.get("inputs", {})) == row.inputs
    recording = ingest(RunConfig.from_plain(proposed), root=file.parent)
    assert list(recording.streams) == list(proposed["streams"])


@pytest.mark.parametrize("row", [r for r in table() if "`--" in r.used], ids=lambda row: row.file)
def test_init_without_its_options_is_refused_with_what_to_do(row, shared_file):
    with pytest.raises(DataError) as caught:
        propose_config(inspect_file(shared_file(row.file)))
    asked = [*row.options["only"], "--path"] if row.options["only"] else ["give --rate HZ"]
    assert all(words in str(caught.value) for words in asked)


@pytest.mark.parametrize("row", [r for r in table() if "Accepted" in r.used], ids=lambda r: r.file)
def test_only_accepted_cells_of_the_real_file_are_used(row, shared_file):
    (stream,) = propose_config(inspect_file(shared_file(row.file)))["streams"].values()
    assert stream["where"] == {"Accepted": 1}
