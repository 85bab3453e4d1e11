"""The same training step in JAX: `lax.scan` under `jit`, on one thread."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine_parts.availability import NotAvailableError
from engine_parts.shapes import ALPHA, Shape, Step
from engine_parts.timing import Variant


def jax_step(step: Step, *, unroll: int) -> Variant:
    """Loss and gradients, compiled; `unroll` steps of the scan are one iteration of its loop.

    Raises
    ------
    NotAvailableError
        JAX is not installed.
    """
    jax = _import_jax()
    parameters, x, y = (_to_jax(jax, part) for part in (step.parameters, step.x, step.y))
    compiled = jax.jit(jax.value_and_grad(_loss(jax, step.shape, unroll)))

    def run() -> tuple[Tensor, ...]:
        _, gradients = jax.block_until_ready(compiled(parameters, x, y))
        # Views of JAX's memory, so this costs some microseconds.
        return tuple(torch.from_dlpack(gradients[name]) for name in step.parameters)

    return Variant(run)


def _import_jax() -> Any:
    """JAX with one thread; its flags are read when it is first imported."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("NPROC", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        return import_module("jax")
    except ImportError as error:
        message = "JAX is not installed; pip install 'neurodsr[bench]'"
        raise NotAvailableError(message) from error


def _to_jax(jax: Any, part: Any) -> Any:
    return jax.tree.map(lambda tensor: jax.numpy.asarray(np.asarray(tensor)), part)


def _loss(jax: Any, shape: Shape, n_unrolled: int) -> Any:
    advance = _advance(jax, shape)

    def loss(p: Any, x: Any, y: Any) -> Any:
        target = x @ p["E"].T

        def iterate(z: Any, forcing: Any) -> Any:
            z = advance(p, ALPHA * forcing + (1 - ALPHA) * z)
            return z, z

        states = jax.lax.scan(iterate, target[0], target, unroll=n_unrolled)[1]
        return jax.numpy.mean((states @ p["B"].T + p["b"] - y) ** 2)

    return loss


def _advance(jax: Any, shape: Shape) -> Any:
    relu, n_linear = jax.nn.relu, shape.latent - shape.hidden

    def shallow(p: Any, z: Any) -> Any:
        return p["A"] * z + relu(z @ p["W2"].T + p["h2"]) @ p["W1"].T + p["h1"]

    def almost_linear(p: Any, z: Any) -> Any:
        bent = jax.numpy.concatenate([z[:, :n_linear], relu(z[:, n_linear:])], axis=1)
        return p["A"] * z + bent @ p["W"].T + p["h"]

    return shallow if shape.kind == "shallow" else almost_linear
