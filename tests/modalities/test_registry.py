"""Plug-ins as packages announce them: found by metadata, imported on use, named when broken."""

import sys
from textwrap import dedent

import pytest

from neurodsr.errors import ConfigError, PluginError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.registry import list_plugins, load_modality
from neurodsr.modalities.spikes import Spikes

WORKING = """
    from neurodsr.modalities.spikes import Spikes
    from neurodsr.modalities.base import Modality

    class Calcium(Modality):
        kind: str = "calcium"
        path: str = "roi"
        def load(self, source, grid): ...
        def build_decoder(self, channels, latent_dim, *, bin_width): ...
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a package, as its metadata and one module."""
    installed = []

    def make(name, code, *, kind="calcium", what="Calcium"):
        module = name.replace("-", "_")
        info = tmp_path / name / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        entry = f"[neurodsr.modalities]\n{kind} = {module}:{what}\n"
        (info / "entry_points.txt").write_text(entry)
        (tmp_path / name / f"{module}.py").write_text(dedent(code))
        monkeypatch.syspath_prepend(str(tmp_path / name))
        installed.append(module)

    yield make
    for module in installed:
        sys.modules.pop(module, None)


def test_the_built_ins_are_announced_like_any_other():
    kinds = {p.kind: p.distribution for p in list_plugins()}
    assert kinds["spikes"] == kinds["behavior"] == "neurodsr"
    assert load_modality("spikes") is Spikes


def test_an_unknown_kind_names_the_near_and_the_known_ones():
    with pytest.raises(ConfigError, match=r"did you mean 'spikes'[\s\S]*known kinds: behavior, "):
        load_modality("spike")


def test_a_plug_in_is_found_without_being_imported(install):
    install("lab-calcium", "raise RuntimeError('imported')")
    found = {p.kind: p for p in list_plugins()}["calcium"]
    assert (found.distribution, found.version) == ("lab-calcium", "1.2")
    assert "lab_calcium" not in sys.modules


def test_a_plug_in_is_imported_when_its_kind_is_used(install):
    install("lab-calcium", WORKING)
    assert load_modality("calcium").__name__ == "Calcium"
    assert issubclass(load_modality("lab-calcium:calcium"), Modality)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
        ("x = 1", "AttributeError"),
    ],
)
def test_a_broken_plug_in_is_named_and_the_others_go_on(install, code, said):
    install("lab-calcium", code)
    with pytest.raises(PluginError, match=rf"lab-calcium 1.2[\s\S]*{said}[\s\S]*reinstall or"):
        load_modality("calcium")
    assert load_modality("spikes") is Spikes


def test_two_packages_of_one_kind_are_both_named_and_a_prefix_settles_it(install):
    install("lab-calcium", WORKING)
    install("rival-calcium", WORKING)
    with pytest.raises(PluginError, match=r"lab-calcium 1.2 and rival-calcium 1.2[\s\S]*write lab"):
        load_modality("calcium")
    assert load_modality("rival-calcium:calcium").__module__ == "rival_calcium"


def test_what_is_not_a_modality_is_refused(install):
    install("lab-calcium", "class Calcium: ...")
    with pytest.raises(PluginError, match=r"not a Modality class[\s\S]*a subclass of"):
        load_modality("calcium")


def test_a_plug_in_of_another_api_version_is_refused(install):
    version = "class Calcium(Modality):\n        api_version = '99'"
    install("lab-calcium", WORKING.replace("class Calcium(Modality):", version))
    with pytest.raises(PluginError, match=r"API 99, this is 1[\s\S]*install a version of lab-"):
        load_modality("calcium")


def test_a_disabled_package_is_as_if_not_installed(install, monkeypatch):
    install("lab-calcium", WORKING)
    monkeypatch.setenv("NEURODSR_DISABLE_PLUGINS", "lab-calcium,other")
    with pytest.raises(ConfigError, match="unknown modality kind 'calcium'"):
        load_modality("calcium")


def test_what_a_plug_in_prints_on_import_stays_off_stdout(install, capsys):
    install("lab-calcium", "print('hello')\n" + dedent(WORKING))
    load_modality("calcium")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")
