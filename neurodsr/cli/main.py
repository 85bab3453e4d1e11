"""The entry point `neurodsr`: parses, calls one command, and turns errors into exit codes."""

from __future__ import annotations

import errno
import io
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib.metadata import version

import click

from neurodsr.cli.lazy import LazyGroup
from neurodsr.cli.output import say, say_error
from neurodsr.errors import NeurodsrError, PreemptedError, ResourceError

COMMANDS = {
    "demo": "neurodsr.cli.whole:demo",
    "inspect": "neurodsr.cli.files:inspect",
    "init": "neurodsr.cli.files:init",
    "run": "neurodsr.cli.whole:run",
    "ingest": "neurodsr.cli.steps:ingest",
    "train": "neurodsr.cli.steps:train",
    "evaluate": "neurodsr.cli.steps:evaluate",
    "report": "neurodsr.cli.steps:report",
    "validate": "neurodsr.cli.files:validate",
    "schema": "neurodsr.cli.installation:schema",
    "doctor": "neurodsr.cli.installation:doctor",
    "plugins": "neurodsr.cli.plugins:plugins",
}


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("neurodsr"), prog_name="neurodsr")
def cli() -> None:
    """Dynamical surrogates of recorded brains.

    Start with `neurodsr demo`, or with `neurodsr inspect FILE.nwb` on a file of your own.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _preempt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8 shows "?" for what it lacks, rather than stopping the run.
            stream.reconfigure(errors="replace")
    sys.exit(run_command(sys.argv[1:]))


def run_command(args: Sequence[str]) -> int:
    """Run one command and return its exit code; no error escapes as a traceback.

    0 ok, 1 a bug, 2 usage or configuration, 3 input data, 4 plug-in, 5 output, 6 numerical,
    7 resource, 8 integrity, 75 preempted, 130 Ctrl-C.
    """
    try:
        result = cli.main(args=list(args), prog_name="neurodsr", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except NeurodsrError as error:
        say_error(error)
        return error.exit_code
    except Exception as error:  # the shell's last resort: a bug, kept in a log and not printed
        return _unexpected(error, args)


def _preempt(*_: object) -> None:
    raise PreemptedError(
        "stopped by SIGTERM; what was finished is kept, a training has saved a checkpoint",
        fix="run the same command again with --resume to go on",
    )


def _unexpected(error: Exception, args: Sequence[str]) -> int:
    known = _resource_error(error)
    if known:
        say_error(known)
        return known.exit_code
    path = _write_log(error, args)
    say(f"error: unexpected {type(error).__name__}: {error}")
    say(f"fix: this is a bug in neurodsr or a plug-in; please report it with the log {path}")
    return 1


def _resource_error(error: Exception) -> ResourceError | None:
    if isinstance(error, MemoryError):
        return ResourceError("out of memory", fix="use a machine with more memory, or fewer bins")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            f"no space left to write {error.filename or 'a file'}", fix="free some disk space"
        )
    return None


def _write_log(error: Exception, args: Sequence[str]) -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="neurodsr-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"neurodsr {version('neurodsr')}, Python {platform.python_version()}, ")
        log.write(f"{platform.platform()}\nneurodsr {' '.join(args)}\n\n")
        log.writelines(traceback.format_exception(error))
    return log.name
