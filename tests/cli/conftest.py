"""A small simulated session as a file, and the command line as a function."""

from typing import NamedTuple

import pytest

from neurodsr.cli.main import run_command
from neurodsr.testing.sessions import demo_session
from neurodsr.testing.write_nwb import write_session


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Runs `neurodsr ARGS` and gives its exit code, stdout and stderr."""

    def run_it(*args):
        capsys.readouterr()
        code = run_command([str(arg) for arg in args])
        return Done(code, *capsys.readouterr())

    return run_it


@pytest.fixture(scope="session")
def session_file(tmp_path_factory):
    """Ten seconds of the demo's session."""
    path = tmp_path_factory.mktemp("session") / "demo.nwb"
    write_session(path, demo_session(seed=0, n_bins=500, n_units=6, n_reference=500))
    return path
