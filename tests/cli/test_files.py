"""`inspect`, `init` and `validate` on good files, on bad ones, and on hostile names."""

import json

import h5py
import pytest

from neurodsr.load_config import load_config


@pytest.fixture
def config(run, session_file, tmp_path):
    path = tmp_path / "run.yaml"
    assert run("init", session_file, "-o", path).code == 0
    return path


@pytest.fixture
def recording(run, config, tmp_path):
    path = tmp_path / "demo.zarr"
    assert run("ingest", config, "-o", path).code == 0
    return path


def test_inspect_lists_every_stream_and_what_would_take_it(run, session_file):
    done = run("inspect", session_file)
    assert done.code == 0
    streams, places, *_ = [line for line in done.out.splitlines() if line.startswith("  units")]
    assert "events: Units" in streams
    assert streams.endswith("spikes")
    assert "VISp (" in places
    (choice,) = [line for line in done.out.splitlines() if "BehavioralTimeSeries/choice" in line]
    assert choice.endswith("behavior, observation: categorical")


def test_inspect_json_is_one_object_with_its_form_named(run, session_file):
    done = run("inspect", session_file, session_file, "--json")
    result = json.loads(done.out)
    assert result["schema"] == "neurodsr/inspect-result/1"
    assert [len(found["streams"]) for found in result["files"]] == [6, 6]
    shared = {s["path"]: s["n_channels"] for s in result["streams"]}
    assert shared["units"] == [6, 6]


def test_inspect_of_several_files_shows_which_file_has_which_stream(run, session_file, tmp_path):
    other = tmp_path / "no-units.nwb"
    other.write_bytes(session_file.read_bytes())
    with h5py.File(other, "r+") as file:
        del file["units"]
    done = run("inspect", session_file, other)
    assert done.code == 0
    table = done.out[done.out.index("Sessions and streams") :].splitlines()
    row = next(line for line in table if str(other) in line)
    assert "–" in row
    assert "–" not in next(line for line in table if str(session_file) in line)


def test_a_bad_file_among_several_hides_no_other_and_decides_the_exit_code(
    run, session_file, tmp_path
):
    bad = tmp_path / "bad.nwb"
    bad.write_bytes(b"")
    done = run("inspect", bad, session_file, "--json")
    assert done.code == 3
    result = json.loads(done.out)
    assert [found["file"] for found in result["files"]] == [str(session_file)]
    assert [refused["file"] for refused in result["refused"]] == [str(bad)]
    assert done.err.startswith(f"error: {bad}")
    assert "\nfix: " in done.err


@pytest.fixture
def table_file(tmp_path):
    """A table of two signals without a clock."""
    path = tmp_path / "bold.csv"
    rows = [f"{i % 7},{(i * i) % 11}" for i in range(400)]
    path.write_text("\n".join(["V1,PFC", *rows]) + "\n")
    return path


def test_a_table_without_a_clock_waits_for_a_rate(run, table_file, tmp_path):
    assert "once a rate is given" in run("inspect", table_file).out
    done = run("init", table_file, "-o", tmp_path / "run.yaml")
    assert done.code == 3
    assert "fix: give --rate HZ" in done.err
    assert not (tmp_path / "run.yaml").exists()


@pytest.mark.parametrize(("option", "value"), [("--rate", 0.5), ("--interval", 2.0)])
def test_init_with_a_declared_clock_writes_a_configuration_that_ingests(
    run, table_file, tmp_path, option, value
):
    config = tmp_path / "run.yaml"
    assert run("init", table_file, "-o", config, option, value).code == 0
    (stream,) = load_config(config).streams.values()
    assert stream.clock.sample_interval == 2.0
    assert run("ingest", config, "-o", tmp_path / "recording").code == 0


def test_init_uses_the_named_streams_and_no_others(run, session_file, tmp_path):
    config, path = tmp_path / "run.yaml", "processing/behavior/Position/position"
    assert run("init", session_file, "-o", config, "--path", path).code == 0
    assert [s.path for s in load_config(config).streams.values()] == [path]
    done = run("init", session_file, "-o", config, "--path", path[:-1])
    assert done.code == 3
    assert "did you mean" in done.err


def test_rate_and_interval_together_are_refused(run, table_file, tmp_path):
    done = run("init", table_file, "-o", tmp_path / "r.yaml", "--rate", 1, "--interval", 1)
    assert done.code == 2
    assert "fix: give one of them" in done.err


def test_init_of_several_files_writes_a_run_with_one_session_each(run, session_file, tmp_path):
    other = tmp_path / "second.nwb"
    other.write_bytes(session_file.read_bytes())
    config = tmp_path / "run.yaml"
    assert run("init", session_file, other, "-o", config).code == 0
    assert len(load_config(config).file) == 2


def test_hostile_names_reach_the_terminal_as_plain_text(run, session_file, tmp_path):
    path = tmp_path / "hostile.nwb"
    path.write_bytes(session_file.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["identifier"]
        file["identifier"] = "\x1b[31mred\u202e[bold]<script>" + "x" * 1000
    done = run("inspect", path)
    assert done.code == 0
    assert "red[bold]<script>xxx" in done.out
    assert not set("\x1b\u202e") & set(done.out + done.err)
    assert "x" * 250 not in done.out


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "no such file"), (b"", ""), (b"no hdf5 here", "unknown format")],
    ids=["missing", "empty", "text"],
)
def test_a_file_that_is_no_recording_exits_3_with_a_fix(run, tmp_path, content, what):
    path = tmp_path / "a.nwb"
    if content is not None:
        path.write_bytes(content)
    done = run("inspect", path)
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith(f"error: {path}: {what}")
    assert "\nfix: " in done.err
    assert "Traceback" not in done.err


def test_init_writes_a_configuration_that_loads_and_its_schema_beside_it(config):
    loaded = load_config(config)
    assert set(loaded.streams) == {"units", "position", "choice"}
    first = config.read_text().splitlines()[0]
    schema = config.parent / first.split("$schema=")[1]
    assert json.loads(schema.read_text())["title"] == "RunConfig"


def test_init_twice_is_fine_but_edits_are_never_overwritten(run, session_file, config):
    assert run("init", session_file, "-o", config).code == 0
    edited = config.read_text() + "# mine\n"
    config.write_text(edited)
    done = run("init", session_file, "-o", config)
    assert done.code == 5
    assert "fix: choose another -o, or give --force" in done.err
    assert config.read_text() == edited
    assert run("init", session_file, "-o", config, "--force").code == 0
    assert config.read_text() != edited


def test_init_into_a_missing_folder_exits_5(run, session_file, tmp_path):
    done = run("init", session_file, "-o", tmp_path / "no" / "run.yaml")
    assert done.code == 5
    assert "fix: " in done.err


def test_ingest_prints_its_output_and_refuses_to_write_it_again(run, config, recording):
    done = run("ingest", config, "-o", recording)
    assert done.code == 5
    assert f"error: {recording}: this output exists already" in done.err
    assert run("ingest", config, "-o", recording, "--force").out == f"{recording}\n"


def test_ingest_of_a_path_that_is_not_in_the_file_names_the_nearest(run, config, tmp_path):
    done = run("ingest", config, "-o", tmp_path / "r", "--set", "streams.units.path=unit")
    assert done.code == 3
    assert "units" in done.err
    assert not (tmp_path / "r").exists()


def test_ingest_of_a_wrong_key_exits_2_with_file_line_and_column(run, config, tmp_path):
    lines = config.read_text().replace("bin_width", "binwidth").splitlines()
    (line,) = [number for number, text in enumerate(lines, start=1) if "binwidth" in text]
    config.write_text("\n".join(lines))
    done = run("ingest", config, "-o", tmp_path / "r")
    assert done.code == 2
    assert f"{config}:{line}:3: grid.binwidth: unknown key, did you mean 'bin_width'?" in done.err


def test_validate_knows_files_and_recordings_by_their_content(run, session_file, recording):
    assert run("validate", session_file, "--deep").out.endswith("recording file, valid\n")
    assert run("validate", recording, "--deep").out.endswith("recording, valid\n")


def test_validate_exits_8_and_names_what_was_damaged(run, recording):
    chunk = next(p for p in recording.rglob("c/*/*") if p.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    done = run("validate", recording, "--json")
    result = json.loads(done.out)
    assert done.code == 8
    assert result["valid"] is False
    (finding,) = result["findings"]
    assert str(chunk.relative_to(recording)) in finding["what"]
    assert "make it again" in finding["fix"]


@pytest.mark.parametrize("name", ["nothing", "."])
def test_validate_of_something_else_exits_3(run, tmp_path, name):
    done = run("validate", tmp_path / name)
    assert done.code == 3
    assert "fix: give an NWB file, or a folder with one of surrogate.json" in done.err


def test_init_leaves_a_file_alone_that_stands_where_its_schema_would(run, session_file, config):
    schema = config.parent / config.read_text().splitlines()[0].split("$schema=")[1]
    schema.write_text("mine")
    assert run("init", session_file, "-o", config).code == 0
    assert schema.read_text() == "mine"
