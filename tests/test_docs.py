"""The documentation says what is there: its commands, code, links and numbers are compared."""

import ast
import importlib
import inspect
import json
import re
from pathlib import Path
from textwrap import dedent

import click
import pytest

import neurodsr
from neurodsr.cli.main import COMMANDS, cli
from neurodsr.run_config import RunConfig

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(p.name for p in ROOT.glob("*.md")),
    "plugins/README.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
# The package that a reader of docs/plugins.md writes; tests/plugins/test_tutorial.py runs it.
WRITTEN_BY_READERS = "neurodsr_log_signal"
# What a variable of this name is, wherever the documentation uses it.
VARIABLES = {
    "surrogate": "neurodsr.surrogate.Surrogate",
    "recording": "neurodsr.data.recording.Recording",
    "evaluation": "neurodsr.evaluation.results.Evaluation",
    "config": "neurodsr.run_config.RunConfig",
}


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, *languages):
    pattern = rf"^```(?:{'|'.join(languages)})\n(.*?)^```"
    return re.findall(pattern, text_of(page), re.M | re.S)


def table_rows(page):
    """Cells of every row of every table, without backticks."""
    lines = re.findall(r"^\|(.*)\|$", text_of(page), re.M)
    return [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]


def resolve(dotted):
    """What a dotted name is, importing as far as there are modules."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{dotted} is nowhere")


def python_blocks():
    """Those that show some methods of a class are indented."""
    return [
        pytest.param(dedent(b), id=f"{p}-{i}")
        for p in PAGES
        for i, b in enumerate(blocks(p, "python"))
    ]


def shell_lines():
    found = []
    for page in PAGES:
        for block in blocks(page, "console", "bash", "sh"):
            found += [(page, re.sub(r"\s+#.*", "", line)) for line in block.splitlines()]
    return found


# Commands


def test_the_test_command_is_the_same_in_readme_makefile_and_ci():
    assert "make test" in text_of("README.md")
    assert re.search(r"^make test$", text_of(".ci/run"), re.M)
    assert re.search(r"^test:", text_of("Makefile"), re.M)


def test_the_demo_is_the_first_command_of_the_readme():
    assert shell_lines()[[page for page, _ in shell_lines()].index("README.md")][1] == "make demo"


def test_ci_is_executable():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page):
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.M))
    assert named <= set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M))


@pytest.mark.parametrize(("page", "line"), shell_lines())
def test_every_command_that_a_page_shows_is_understood(page, line):
    if not line.startswith("neurodsr "):
        return
    _, verb, *words = line.split()
    command = cli.get_command(None, verb)
    if isinstance(command, click.Group):
        command = command.get_command(None, words.pop(0))
    known = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    assert {w for w in words if w.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_in_running_text_is_a_command(page):
    verbs = set(re.findall(r"`neurodsr ([a-z]+)", text_of(page)))
    assert verbs <= set(COMMANDS)


# Code


@pytest.mark.parametrize("block", python_blocks())
def test_every_import_in_a_code_block_resolves(block):
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and not node.module.startswith(WRITTEN_BY_READERS):
            for alias in node.names:
                resolve(f"{node.module}.{alias.name}")


@pytest.mark.parametrize("block", python_blocks())
def test_every_name_that_a_code_block_takes_from_neurodsr_exists_and_takes_these_arguments(block):
    tree = ast.parse(block)
    homes = {"nd": neurodsr} | {name: resolve(home) for name, home in VARIABLES.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            home = homes.get(node.value.id)
            assert home is None or has(home, node.attr), f"{node.value.id}.{node.attr}"
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        function = call.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            home = homes.get(function.value.id)
            if home is not None:
                bind(getattr(home, function.attr), call, method=inspect.isclass(home))


def has(home, name):
    fields = getattr(home, "model_fields", {}) | getattr(home, "__dataclass_fields__", {})
    return name in fields or hasattr(home, name)


def bind(function, call, *, method):
    """Raise where the documented call does not fit the signature."""
    self = [None] if method else []
    keywords = {k.arg: None for k in call.keywords}
    inspect.signature(function).bind(*self, *(None for _ in call.args), **keywords)


# Names, links, numbers


@pytest.mark.parametrize("page", PAGES)
def test_every_dotted_name_in_backticks_exists(page):
    for dotted in re.findall(r"`(neurodsr(?:\.[A-Za-z_]\w*)+)`", text_of(page)):
        resolve(dotted)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_package_that_a_page_names_exists(page):
    for name in re.findall(r"`(neurodsr/[\w/.]*)`", text_of(page)):
        assert (ROOT / name).exists(), name


def test_every_file_that_the_architecture_lists_exists_in_its_folder():
    rows = [r for r in table_rows("docs/architecture.md") if re.fullmatch(r"neurodsr/\w*/?", r[0])]
    assert len(rows) > 10
    for folder, *rest in rows:
        for name in re.findall(r"(\w+\.py|\w+/)`?", rest[0]):
            assert (ROOT / folder / name).exists(), f"{folder}{name}"


def test_every_folder_of_the_package_is_in_the_architecture():
    folders = {f"neurodsr/{p.parent.name}/" for p in (ROOT / "neurodsr").glob("*/__init__.py")}
    assert folders <= {row[0] for row in table_rows("docs/architecture.md")}


def anchors(page):
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        found = (ROOT / page).parent / file if file else ROOT / page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.resolve().relative_to(ROOT.resolve())), target


@pytest.mark.parametrize("page", [*PAGES, "Makefile", ".ci/run", "constraints.txt"])
def test_no_page_holds_a_path_of_one_machine(page):
    assert not re.findall(r"(?<![\w.}])/(?:home|root|work|tmp|Users|mnt|opt)/", text_of(page))


@pytest.mark.parametrize("row", [r for r in table_rows("docs/methods.md") if len(r) == 4])
def test_the_documented_bounds_of_the_verdict_are_those_of_the_code(row):
    _, bound, constant, _ = row
    if constant.startswith("MAX_"):
        value = getattr(resolve("neurodsr.evaluation.verdict"), constant)
        assert float(re.search(r"[\d.]+$", bound)[0]) == value


def test_every_bound_of_the_verdict_is_documented():
    documented = {row[2] for row in table_rows("docs/methods.md") if len(row) == 4}
    bounds = {n for n in vars(resolve("neurodsr.evaluation.verdict")) if n.startswith("MAX_")}
    assert bounds <= documented


@pytest.mark.parametrize(
    ("name", "value"),
    [r[:2] for r in table_rows("docs/methods.md") if r[0].startswith("neurodsr.")],
)
def test_every_documented_constant_has_its_value(name, value):
    found = resolve(name)
    assert (list(found) if isinstance(found, tuple) else found) == json.loads(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [r for r in table_rows("docs/methods.md") if len(r) == 2 and r[0].partition(".")[2]],
)
def test_every_documented_default_is_the_default(key, value):
    section, name = key.split(".")
    config = RunConfig.model_fields[section].annotation.model_fields[name]
    found = config.get_default()
    assert (list(found) if isinstance(found, tuple) else found) == json.loads(value)
