"""From a kind to its class: imported on use, checked, named when broken."""

import sys
from textwrap import dedent

import pytest

from neurodsr.errors import ConfigError, PluginError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.registry import find_plugin, load_modality, plugin_of, spell_kind
from neurodsr.modalities.spikes import Spikes

WORKING = dedent("""
    from typing import Literal
    from neurodsr.modalities.base import Modality

    class Widefield(Modality):
        kind: Literal["widefield"] = "widefield"
        path: str = "roi"
        def load(self, source, grid): ...
        def build_decoder(self, channels, latent_dim, *, bin_width): ...
""")


def test_the_built_ins_are_loaded_like_any_other():
    assert load_modality("spikes") is load_modality("neurodsr:spikes") is Spikes


def test_an_unknown_kind_names_the_near_and_the_known_ones():
    with pytest.raises(ConfigError, match=r"did you mean 'spikes'[\s\S]*known kinds: behavior, "):
        load_modality("spike")


def test_a_plug_in_is_imported_when_its_kind_is_used(install):
    install("lab-widefield", WORKING)
    assert load_modality("widefield").__name__ == "Widefield"
    assert issubclass(load_modality("lab-widefield:widefield"), Modality)
    assert load_modality("Lab_Widefield:widefield") is load_modality("widefield")


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
    install("lab-widefield", code)
    with pytest.raises(PluginError, match=rf"lab-widefield 1.2[\s\S]*{said}[\s\S]*reinstall or"):
        load_modality("widefield")
    assert load_modality("spikes") is Spikes


def test_the_error_shows_the_line_that_failed_and_none_of_the_import_system(install):
    install("lab-widefield", "x = 1\nimport no_such_package")
    with pytest.raises(PluginError) as caught:
        load_modality("widefield")
    assert 'lab_widefield.py", line 2, in <module>' in caught.value.what
    assert "import no_such_package" in caught.value.what
    assert "<frozen" not in caught.value.what
    assert "NEURODSR_DISABLE_PLUGINS=lab-widefield to go on without it" in caught.value.fix


def test_ctrl_c_during_an_import_is_not_caught(install):
    install("lab-widefield", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_modality("widefield")


def test_two_packages_of_one_kind_are_both_named_and_a_prefix_settles_it(install):
    install("lab-widefield", WORKING)
    install("rival-widefield", WORKING)
    with pytest.raises(
        PluginError,
        match=r"lab-widefield 1.2 and rival-widefield 1.2[\s\S]*write lab-widefield:widefield or ",
    ):
        load_modality("widefield")
    assert load_modality("rival-widefield:widefield").__module__ == "rival_widefield"


def test_of_two_packages_the_one_that_brought_a_class_is_known(install):
    install("lab-widefield", "raise RuntimeError('never asked for')")
    install("rival-widefield", WORKING)
    modality = load_modality("rival-widefield:widefield")()
    assert plugin_of(modality).distribution == "rival-widefield"
    assert spell_kind(modality) == "rival-widefield:widefield"


def test_a_kind_of_one_package_is_spelled_without_it():
    assert spell_kind(Spikes()) == "spikes"
    assert plugin_of(Spikes()) == find_plugin("spikes")


def test_what_is_not_a_modality_is_refused(install):
    install("lab-widefield", "class Widefield: ...")
    with pytest.raises(PluginError, match=r"not a Modality class[\s\S]*a subclass of"):
        load_modality("widefield")


def test_a_plug_in_of_another_api_version_is_refused(install):
    version = "class Widefield(Modality):\n    api_version = '99'"
    install("lab-widefield", WORKING.replace("class Widefield(Modality):", version))
    with pytest.raises(PluginError, match=r"API 99, this is \d+[\s\S]*install a version of lab-"):
        load_modality("widefield")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ('Literal["ca"] = "ca"', "of Widefield is 'ca'"),
        ('str = "widefield"', "of Widefield is no Lit"),
    ],
)
def test_a_class_of_another_kind_than_its_entry_point_is_refused(install, kind, said):
    install("lab-widefield", WORKING.replace('Literal["widefield"] = "widefield"', kind))
    with pytest.raises(PluginError, match=rf'{said}[\s\S]*write `kind: Literal\["widefield"\]`'):
        load_modality("widefield")


def test_a_class_that_lacks_a_method_is_refused(install):
    install("lab-widefield", WORKING.replace("def load(self, source, grid): ...", ""))
    with pytest.raises(PluginError, match=r"Widefield lacks load[\s\S]*write load in the class"):
        load_modality("widefield")


def test_a_disabled_package_is_as_if_not_installed_and_the_error_says_so(install, monkeypatch):
    install("lab-widefield", WORKING)
    monkeypatch.setenv("NEURODSR_DISABLE_PLUGINS", "lab-widefield,other")
    with pytest.raises(
        ConfigError, match=r"unknown modality kind 'widefield'[\s\S]*take lab-widefield out of"
    ):
        load_modality("widefield")


def test_what_a_plug_in_prints_on_import_stays_off_stdout(install, capsys):
    install("lab-widefield", f"print('hello')\n{WORKING}")
    load_modality("widefield")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_loading_one_kind_imports_no_other(install):
    install("lab-widefield", WORKING)
    install("lab-pupil", WORKING, kind="pupil")
    load_modality("widefield")
    assert "lab_pupil" not in sys.modules
