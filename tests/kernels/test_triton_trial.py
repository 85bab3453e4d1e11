"""The trial of the Triton path: whatever is wrong with it ends in words, not in numbers."""

import logging

import pytest
import torch

from neurodsr.kernels import triton_trial
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.path import Path

pytest.importorskip("triton", reason="Triton is not installed")

SIZE = torch.device("cpu"), torch.float64, 3, 7, True, True


@pytest.fixture(autouse=True)
def forgotten():
    """No trial is remembered from or for another test."""
    triton_trial.find_fault.cache_clear()
    yield
    triton_trial.find_fault.cache_clear()


def test_what_agrees_with_plain_torch_has_no_fault(monkeypatch):
    monkeypatch.setattr(triton_trial, "TRITON", ADJOINT)
    assert triton_trial.find_fault(*SIZE) == ""


def wrong_value(problem, keep):
    states, kept = ADJOINT.forward(problem, keep)
    return states * 1.01, kept


def wrong_gradient(problem, kept, grad, wanted):
    found = ADJOINT.backward(problem, kept, grad, wanted)
    return found._replace(h2=found.h2 * 1.01)


def nan_gradient(problem, kept, grad, wanted):
    found = ADJOINT.backward(problem, kept, grad, wanted)
    return found._replace(z0=found.z0 * float("nan"))


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (wrong_value, ADJOINT.backward),
        (ADJOINT.forward, wrong_gradient),
        (ADJOINT.forward, nan_gradient),
    ],
)
def test_another_number_than_in_plain_torch_is_a_fault(monkeypatch, caplog, forward, backward):
    monkeypatch.setattr(triton_trial, "TRITON", Path("triton", forward, backward))
    with caplog.at_level(logging.WARNING):
        assert "disagree with plain torch" in triton_trial.find_fault(*SIZE)
    assert "the Triton path is not used" in caplog.text


def test_kernels_that_do_not_run_are_a_fault_that_says_why(monkeypatch):
    def broken(problem, keep):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(triton_trial, "TRITON", Path("triton", broken, ADJOINT.backward))
    assert "Failed to find C compiler" in triton_trial.find_fault(*SIZE)


def test_a_size_is_tried_once(monkeypatch):
    calls = []

    def counted(problem, keep):
        calls.append(problem)
        return ADJOINT.forward(problem, keep)

    monkeypatch.setattr(triton_trial, "TRITON", Path("triton", counted, ADJOINT.backward))
    assert [triton_trial.find_fault(*SIZE) for _ in range(3)] == ["", "", ""]
    assert len(calls) == 1
