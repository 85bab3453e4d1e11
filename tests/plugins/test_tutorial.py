"""The tutorial on plug-ins is true: its code is the scaffold's, and whoever follows it gets there.

How the page is read: a python or yaml block whose first line is a comment with a file's name is
that file; an indented one holds members of the class in that file, which replace those of the same
name. Python blocks without a name are, one after the other, the module that `plugins new` writes.
Lines of a console block are commands, which exit with 0 or with the code in a comment behind them;
the text block below one shows lines of what they print, "..." standing for anything.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from neurodsr import errors
from neurodsr.testing.conformance.catalog import CHECKS
from neurodsr.testing.scaffold import write_scaffold

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
PACKAGE = "neurodsr-log-signal"
NAMED = re.compile(r"\s*# (\S+\.(?:py|yaml))\n")


class Block(NamedTuple):
    language: str
    text: str

    @property
    def file(self):
        """Name of the file that it is, or that it changes; "" for none."""
        found = NAMED.match(self.text)
        return found[1] if found else ""

    @property
    def body(self):
        """The text without the file's name."""
        return NAMED.sub("", self.text, count=1)


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)]


# ---- the page and the scaffold


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """What `neurodsr plugins new log-signal` writes."""
    folder = tmp_path_factory.mktemp("scaffold") / PACKAGE
    write_scaffold("log-signal", folder)
    return folder


def code_lines(text):
    """The text with blank lines left out: between two blocks of a module are one or two."""
    return [line for line in text.splitlines() if line.strip()]


def test_the_blocks_of_the_module_are_all_of_the_module_that_plugins_new_writes(package):
    shown = "".join(b.text for b in BLOCKS if b.language == "python" and not b.file)
    assert code_lines(shown) == code_lines(
        (package / "neurodsr_log_signal" / "__init__.py").read_text()
    )


def test_the_entry_point_on_the_page_is_that_of_the_scaffold(package):
    (shown,) = (b.text for b in BLOCKS if b.language == "toml")
    assert shown in (package / "pyproject.toml").read_text()


# ---- the page and the package


def test_the_contract_on_the_page_names_every_check_once():
    section = PAGE.split("\n## 9. ")[1].split("\n## ")[0]
    rows = [line.rsplit("|", 2)[1] for line in section.splitlines() if line.startswith("| ")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(check.name for check in CHECKS)


def test_the_page_counts_as_many_checks_as_there_are():
    """Two are skipped: they are on exposure, which an average within bins does not have."""
    n, own = len(CHECKS) - 2, 3
    counted = re.findall(r"^(\d+) checks hold, 0 fail, 2 skipped$", PAGE, re.M)
    assert counted
    assert set(counted) == {str(n)}
    assert f"{n + own} passed, 2 skipped" in PAGE


def test_the_exit_codes_on_the_page_are_those_of_the_errors():
    rows = [r.split("|") for r in PAGE.splitlines() if re.search(r"\| \d+ \|$", r)]
    codes = {row[1].strip(): int(row[3]) for row in rows}
    expected = {
        "a field is unknown, or its value out of bounds": errors.ConfigError,
        "`load` raises a `DataError`": errors.DataError,
        "two packages offer the kind": errors.PluginError,
        "the package does not import": errors.PluginError,
    }
    assert {what: codes[what] for what in expected} == {
        what: error.exit_code for what, error in expected.items()
    }


# ---- a reader who does what the page says


class Reader:
    """Does in a folder what the page says, with the package installed where only it looks."""

    def __init__(self, folder):
        self.folder, self.target, self.printed = folder, folder / "installed", ""

    def follow(self, block):
        """Save a file, change a class, give commands, or compare what they printed."""
        if block.language == "console":
            self.printed = "".join(self.command(line) for line in commands(block.text))
        elif block.language == "text":
            missing = not_printed(block.text, self.printed)
            assert not missing, f"{missing!r} is not in what was printed:\n{self.printed}"
        elif block.file:
            path = self.folder / block.file
            member = block.language == "python" and block.text.startswith(" ")
            text = with_members(path.read_text(), block.body) if member else block.body
            path.write_text(text)

    def command(self, line):
        """What a line of a console block prints; settings may come first, an exit code last."""
        line, _, code = line.partition("  # exit code ")
        words = shlex.split(line)
        n = next(i for i, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
        settings = dict(word.split("=", 1) for word in words[:n])
        return self.run(words[n:], settings=settings, code=int(code or 0))

    def run(self, words, *, settings=None, code=0):
        """What a command prints; it must exit with that code."""
        # An editable installation: metadata from the target, modules from the source.
        path = os.pathsep.join(map(str, [self.folder / PACKAGE, self.target]))
        done = subprocess.run(
            [sys.executable, *self.substitute(*words)],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | (settings or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, f"{shlex.join(words)}\n{printed}"
        return printed

    def substitute(self, program, *rest):
        """The command for this Python; pip must fetch nothing, and leave the environment alone."""
        if program == "pip":
            assert rest == ("install", "-e", f"./{PACKAGE}[test]")
            offline = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir")
            rest = ("install", *offline, "--target", str(self.target), f"./{PACKAGE}")
        if program == "pytest":
            rest = ("-p", "no:cacheprovider", *rest)
        return [*(() if program == "python" else ("-m", program)), *rest]


def commands(text):
    """The commands of a console block; a backslash goes on in the next line."""
    return text.replace("\\\n", " ").splitlines()


def not_printed(expected, printed):
    """The first expected line that is not in the lines printed, in their order; "" if all are."""
    lines = iter(re.sub(r"\s+", " ", line) for line in printed.splitlines())
    for line in expected.splitlines():
        pattern = ".*".join(map(re.escape, line.split("...")))
        if not any(re.search(pattern, found) for found in lines):
            return line
    return ""


def with_members(module, members):
    """The module with fields and methods put into its class, each in place of its namesake."""
    lead = "class _:\n"
    for member in ast.parse(lead + members).body[0].body:
        own = (lead + members).splitlines()[first_line(member) - 1 : member.end_lineno]
        lines = module.splitlines()
        (cls,) = (n for n in ast.parse(module).body if isinstance(n, ast.ClassDef))
        first, last = place_of(member, cls)
        lines[first:last] = own if last > first else ["", *own] if is_method(member) else own
        module = "\n".join(lines) + "\n"
    return module


def place_of(member, cls):
    """Lines that a member takes: those of its namesake, else none after the last of its like."""
    for old in cls.body:
        if name_of(old) == name_of(member):
            return first_line(old) - 1, old.end_lineno
    like = [n for n in cls.body if is_method(n) == is_method(member)]
    return like[-1].end_lineno, like[-1].end_lineno


def is_method(node):
    return isinstance(node, ast.FunctionDef)


def name_of(node):
    return getattr(node, "name", None) or ast.unparse(getattr(node, "target", ast.Name("")))


def first_line(node):
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def test_a_member_takes_the_place_of_its_namesake_or_joins_its_like():
    module = dedent('''\
        class A:
            """A class."""

            x: int = 1

            def f(self):
                return 1
        ''')
    members = (
        "    y: int = 2\n\n    def f(self):\n        return 3\n\n    def g(self):\n        pass\n"
    )
    assert with_members(module, members) == dedent('''\
        class A:
            """A class."""

            x: int = 1
            y: int = 2

            def f(self):
                return 3

            def g(self):
                pass
        ''')


@pytest.mark.parametrize(
    ("expected", "missing"),
    [("b\nd", ""), ("d\nb", "b"), ("a ... c", ""), ("a x c", "a x c"), ("", "")],
)
def test_printed_lines_are_found_in_their_order(expected, missing):
    assert not_printed(expected, "a  b   c\nb\nc d\n") == missing


@pytest.mark.slow
def test_a_reader_who_does_what_the_page_says_gets_what_it_shows(tmp_path):
    reader = Reader(tmp_path)
    for block in BLOCKS:
        reader.follow(block)
    report = (tmp_path / "out" / "report.json").read_text()
    assert '"neurodsr-log-signal"' in report  # the page says that a report names its plug-ins
    for command in (["check"], ["format", "--check"]):
        reader.run(["ruff", *command, "--no-cache", PACKAGE])
