"""The installation as `doctor` sees it: versions, device, plug-ins, and what is wrong."""

import pytest

from neurodsr.modalities.health import PluginHealth
from neurodsr.modalities.run_alone import Ran
from neurodsr.pipeline import doctor
from neurodsr.pipeline.doctor import check_installation


@pytest.fixture
def quick(monkeypatch):
    """Answers instead of processes, which would import torch for seconds."""

    def answer(*, torch=(0, "cpu|2|native (avx2)\n", ""), states=None):
        states = states or {}

        def check(plugin, *, timeout):
            state, problem = states.get(plugin.kind, ("ok", ""))
            return PluginHealth(
                plugin.kind, plugin.distribution, plugin.version, state, problem, (), 0.1, "1"
            )

        monkeypatch.setattr(doctor, "run_alone", lambda *_, timeout: Ran(*torch, 0.1))
        monkeypatch.setattr(doctor, "check_plugin", check)

    return answer


def test_all_is_well(quick):
    quick()
    found = check_installation()
    assert (found.device, found.threads, found.problems) == ("cpu", "2", ())
    assert found.kernels == "native (avx2)"
    assert {"neurodsr", "torch", "ruamel.yaml"} <= set(found.versions)
    assert {p.kind for p in found.plugins} >= {"spikes", "behavior"}
    assert found.to_plain()["plugins"][0]["state"] == "ok"


def test_what_importing_torch_prints_besides_is_left_out(quick):
    quick(torch=(0, "a warning\nNVIDIA X|8|native (avx2)\n", ""))
    assert check_installation().device == "NVIDIA X"


@pytest.mark.parametrize(
    ("torch", "problem"),
    [
        ((None, "", ""), "torch: does not import within 60 s"),
        ((1, "", "Traceback\nImportError: gone\n"), "torch: ImportError: gone"),
        ((-11, "", ""), "torch: exit -11"),
    ],
)
def test_a_torch_that_does_not_import_is_a_problem(quick, torch, problem):
    quick(torch=torch)
    found = check_installation()
    assert found.problems == (problem,)
    assert found.device == "unknown"


def test_a_plug_in_with_a_problem_is_named(quick):
    quick(states={"spikes": ("raises", "ImportError: gone")})
    assert check_installation().problems == ("plug-in spikes (neurodsr): ImportError: gone",)


def test_a_dependency_that_is_missing_is_named_with_the_command_to_install_it(quick, monkeypatch):
    quick()
    monkeypatch.setattr(
        doctor, "requires", lambda name: ["nothing-like-it>=3", 'x; extra == "dev"']
    )
    assert check_installation().problems == (
        "nothing-like-it is not installed: pip install 'nothing-like-it>=3'",
    )


def test_this_installation_is_found_by_looking(monkeypatch):
    """No answers made up: torch and each built-in kind in a process of its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = check_installation()
    assert found.device == "cpu"
    assert int(found.threads) >= 1
    assert not any(p.broken for p in found.plugins)
