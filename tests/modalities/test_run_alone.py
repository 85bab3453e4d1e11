"""A Python in a process of its own: what it leaves, and that it never outlives its time."""

import fcntl
import subprocess
import sys

import pytest

from neurodsr.modalities.run_alone import run_alone

FOREVER = "import threading; threading.Event().wait()"


def test_output_and_exit_code_are_kept():
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    ran = run_alone("-c", code, timeout=60.0)
    assert (ran.code, ran.out, ran.err) == (3, "out\n", "err\n")
    assert 0 < ran.seconds < 60


def test_a_signal_is_a_negative_code():
    assert run_alone("-c", "import os; os.kill(os.getpid(), 11)", timeout=60.0).code == -11


def test_it_finds_the_same_packages(monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run_alone("-c", "import only_here", timeout=60.0).code == 0


def test_the_working_folder_is_not_searched_for_modules(monkeypatch, tmp_path):
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('a file that lies around')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    assert run_alone("-c", "import colorsys", timeout=60.0).code == 0


def test_nobody_can_be_asked():
    assert "EOFError" in run_alone("-c", "input()", timeout=60.0).err


def test_of_long_output_the_beginning_is_kept_and_of_errors_the_end():
    code = "import sys; print('first', 'x' * 10**6); print('y' * 10**6, 'last', file=sys.stderr)"
    ran = run_alone("-c", code, timeout=60.0)
    assert ran.out.startswith("first x")
    assert ran.err.endswith("y last\n")
    assert max(len(ran.out), len(ran.err)) == 4096


def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path):
    held = tmp_path / "held"
    # The grandchild keeps the inherited output open, for which a pipe would wait for ever.
    grandchild = (
        f"import fcntl; f = open({str(held)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        f"f.write('held'); f.flush(); {FOREVER}"
    )
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}])"
    ran = run_alone("-c", f"{start}; {FOREVER}", timeout=3.0)
    assert ran.code is None
    assert 3 <= ran.seconds < 60
    with held.open() as file:
        assert file.read() == "held"
        fcntl.flock(file, fcntl.LOCK_EX)  # the system gives it to us when the grandchild is gone


def test_ctrl_c_while_waiting_ends_the_process(monkeypatch):
    started = []
    wait = subprocess.Popen.wait

    def interrupted(process, timeout=None):
        if process not in started:
            started.append(process)
            raise KeyboardInterrupt
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_alone("-c", FOREVER, timeout=60.0)
    assert started[0].returncode == -9
