"""The shell around every command: light start, exit codes, and errors without tracebacks."""

import os
import subprocess
import sys

import click
import pytest

from neurodsr import errors
from neurodsr.cli import main as shell

LIGHT = (
    "import sys; from neurodsr.cli.main import run_command; code = run_command(sys.argv[1:]); "
    "heavy = {'torch', 'pynwb', 'h5py', 'zarr', 'matplotlib', 'plotly'} & set(sys.modules); "
    "print('heavy:', sorted(heavy), file=sys.stderr); sys.exit(code)"
)


def python(*args, **kwargs):
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, timeout=120, check=False, **kwargs
    )


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["plugins", "list", "--json"],
        ["plugins", "show", "spikes"],
        ["schema"],
        *([name, "--help"] for name in shell.COMMANDS),
    ],
    ids=" ".join,
)
def test_a_light_command_imports_nothing_heavy(args):
    done = python("-c", LIGHT, *args)
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr == "heavy: []\n"


@pytest.fixture
def run_failing(monkeypatch):
    """Runs the command line with a command that raises."""

    def run(error):
        def invoke(ctx):
            raise error

        monkeypatch.setattr(shell.cli, "invoke", invoke)
        return shell.run_command(["schema"])

    return run


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigError, 2),
        (errors.DataError, 3),
        (errors.PluginError, 4),
        (errors.OutputError, 5),
        (errors.NumericalError, 6),
        (errors.ResourceError, 7),
        (errors.IntegrityError, 8),
        (errors.PreemptedError, 75),
        (errors.InterruptedRunError, 130),
    ],
)
def test_each_error_has_its_exit_code_and_no_traceback(run_failing, capsys, kind, code):
    assert run_failing(kind("what it is", where="a.nwb:/units", fix="do this")) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: a.nwb:/units: what it is\nfix: do this\n"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_exits_130(run_failing, capsys, stop):
    assert run_failing(stop) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_bug_exits_1_and_leaves_its_traceback_in_a_log_that_is_named(
    run_failing, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_failing(ZeroDivisionError("one over none")) == 1
    said = capsys.readouterr().err
    (log,) = tmp_path.glob("neurodsr-*.log")
    assert "unexpected ZeroDivisionError: one over none" in said
    assert f"please report it with the log {log}" in said
    assert "Traceback" not in said
    assert "Traceback (most recent call last)" in log.read_text()
    assert "neurodsr schema" in log.read_text()


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (MemoryError(), "fix: use a machine with more memory"),
        (OSError(28, "No space left on device", "/x"), "fix: free some disk space"),
    ],
)
def test_missing_memory_or_disk_exits_7(run_failing, capsys, error, fix):
    assert run_failing(error) == 7
    assert fix in capsys.readouterr().err


def test_an_error_message_cannot_carry_terminal_codes(run_failing, capsys):
    run_failing(errors.DataError("unit \x1b[31mred\x1b[0m \u202eknil", fix="rename"))
    assert capsys.readouterr().err == "error: unit red knil\nfix: rename\n"


def test_an_unknown_command_names_the_closest(capsys):
    assert shell.run_command(["inspct"]) == 2
    assert "no command 'inspct': did you mean 'inspect'" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys):
    assert shell.run_command(["schema", "--wrong"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_a_reader_that_leaves_ends_the_command_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", "from neurodsr.cli.main import main; main()", "schema"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ""


def test_a_closed_stdout_is_no_error():
    command = 'exec "$0" -c "from neurodsr.cli.main import main; main()" plugins list >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_user_s_mistake_is_two_lines_in_a_real_process(tmp_path):
    code = "from neurodsr.cli.main import main; main()"
    done = python("-c", code, "inspect", "gone.nwb", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == "error: gone.nwb: no such file"
    assert second.startswith("fix: ")
