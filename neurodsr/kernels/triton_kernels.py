r"""The scan on a CUDA device: one program a sample and member, its weights in registers.

A step of a small map is too little work to launch a kernel for, so each program stays for all
steps: forward $z_{t+1} = F(\tilde z_t) + d_t$, then the adjoint of `adjoint.py` backwards in time,
the hidden layer computed again. Once all states and their gradients are known, hidden units no
longer depend on one another, and `sum_over_time` takes them in tiles, many programs at a time.

Tiles are [hidden, latent], padded with zeros to powers of two; a zero row gives relu(0) = 0 and
stays without effect. They come padded from outside: Triton shares a tile among threads as it was
loaded, and whole aligned rows leave each thread four latents of a unit, which at M20 L500 takes a
fifth of the exchanges between threads that single ones take. What the next step needs is loaded
one step ahead, since a load takes longer than a step. All [member, batch, time, latent] tensors
are contiguous but `alpha`, whose strides are given.

Importing this module needs Triton, which comes with PyTorch for CUDA.

No GPU has run these kernels yet: values and gradients were checked in Triton's interpreter,
registers by compiling for sm_90. Neither sees a race, a layout or the time.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

# Triton compiles these functions from their source, where a parameter is a pointer or a number;
# `no_type_check` keeps checkers of Python types away. `M` latents and `L` hidden units are padded
# to `BM` and `BL`.


@triton.jit
@no_type_check
def hidden_layer(w2, c2, x):
    """Pre-activations [hidden] of one state."""
    return tl.sum(w2 * x[None, :], 1) + c2


@triton.jit
@no_type_check
def where_active(u, x):
    """`x` where the pre-activation is positive, else 0; as in torch, NaN counts as active."""
    return tl.where(u <= 0, 0.0, x)


@triton.jit
@no_type_check
def load_weights(weights, h2, member, i, j, L: tl.constexpr, BM: tl.constexpr, BL: tl.constexpr):
    """Tiles of W1 transposed and W2, and h2, of latents `i` and hidden units `j` of a member."""
    at = member * 2 * BL * BM + j[:, None] * BM + i[None, :]
    c2 = tl.load(h2 + member * L + j, mask=j < L, other=0.0)
    return tl.load(weights + at), tl.load(weights + at + BL * BM), c2


@triton.jit(do_not_specialize=["n_steps"])
@no_type_check
def run_forward(
    A, weights, h1, h2, z0, target, alpha, drive, states, mixed,
    alpha_member, alpha_sample, alpha_time, alpha_latent, n_steps,
    M: tl.constexpr, L: tl.constexpr, BM: tl.constexpr, BL: tl.constexpr,
):  # fmt: skip
    """All states of one sample of one member.

    `target` and `alpha`, `drive`, and `mixed`, where the mixed states are wanted, may be None.
    """
    sample, member = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    run = member * tl.num_programs(0) + sample
    i = tl.arange(0, BM)
    on, at = i < M, run * n_steps * M + i
    w1, w2, c2 = load_weights(weights, h2, member, i, tl.arange(0, BL), L, BM, BL)
    a = tl.load(A + member * M + i, mask=on, other=0.0)
    c1 = tl.load(h1 + member * M + i, mask=on, other=0.0)
    z = tl.load(z0 + run * M + i, mask=on, other=0.0)
    if target is not None:
        alpha += member * alpha_member + sample * alpha_sample + i * alpha_latent
        next_target = tl.load(target + at, mask=on, other=0.0)
        next_alpha = tl.load(alpha, mask=on, other=0.0)
    if drive is not None:
        next_drive = tl.load(drive + at, mask=on, other=0.0)
    for t in range(n_steps):
        more = i < tl.where(t + 1 < n_steps, M, 0)
        if target is not None:
            # In this form a strength of 0 or 1 leaves no rounding of the other state.
            z = (1 - next_alpha) * z + next_alpha * next_target
            alpha += alpha_time
            next_target = tl.load(target + at + M, mask=more, other=0.0)
            next_alpha = tl.load(alpha, mask=more, other=0.0)
        if mixed is not None:
            tl.store(mixed + at, z, mask=on)
        u = hidden_layer(w2, c2, z)
        z = a * z + c1 + tl.sum(w1 * where_active(u, u)[:, None], 0)
        if drive is not None:
            z += next_drive
            next_drive = tl.load(drive + at + M, mask=more, other=0.0)
        tl.store(states + at, z, mask=on)
        at += M


@triton.jit(do_not_specialize=["n_steps"])
@no_type_check
def run_adjoint(
    A, weights, h2, alpha, mixed, grad, total, to_target, to_z0, to_A, to_h1,
    alpha_member, alpha_sample, alpha_time, alpha_latent, n_steps,
    M: tl.constexpr, L: tl.constexpr, BM: tl.constexpr, BL: tl.constexpr,
):  # fmt: skip
    """Gradients of one sample of one member that need the states in turn, from the last back.

    `total` gets the whole gradient of each state, of which `grad` is the direct part. `alpha` is
    None in a free run, `to_target` where nobody asks for it.
    """
    sample, member = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    run = member * tl.num_programs(0) + sample
    i = tl.arange(0, BM)
    on, at = i < M, (run * n_steps + n_steps - 1) * M + i
    w1, w2, c2 = load_weights(weights, h2, member, i, tl.arange(0, BL), L, BM, BL)
    a = tl.load(A + member * M + i, mask=on, other=0.0)
    next_x = tl.load(mixed + at, mask=on, other=0.0)
    next_g = tl.load(grad + at, mask=on, other=0.0)
    carried, sum_A, sum_h1 = tl.zeros_like(next_g), tl.zeros_like(next_g), tl.zeros_like(next_g)
    if alpha is not None:
        alpha += member * alpha_member + sample * alpha_sample + i * alpha_latent
        alpha += (n_steps - 1).to(tl.int64) * alpha_time
        next_alpha = tl.load(alpha, mask=on, other=0.0)
    for t in range(n_steps):
        more = i < tl.where(t + 1 < n_steps, M, 0)
        x, g = next_x, next_g + carried
        next_x = tl.load(mixed + at - M, mask=more, other=0.0)
        next_g = tl.load(grad + at - M, mask=more, other=0.0)
        tl.store(total + at, g, mask=on)
        d = where_active(hidden_layer(w2, c2, x), tl.sum(w1 * g[None, :], 1))
        carried = a * g + tl.sum(w2 * d[:, None], 0)
        sum_A += g * x
        sum_h1 += g
        if alpha is not None:
            if to_target is not None:
                tl.store(to_target + at, next_alpha * carried, mask=on)
            carried *= 1 - next_alpha
            alpha -= alpha_time
            next_alpha = tl.load(alpha, mask=more, other=0.0)
        at -= M
    tl.store(to_z0 + run * M + i, carried, mask=on)
    tl.store(to_A + run * M + i, sum_A, mask=on)
    tl.store(to_h1 + run * M + i, sum_h1, mask=on)


@triton.jit(do_not_specialize=["n_steps"])
@no_type_check
def sum_over_time(
    weights, h2, mixed, total, to_W1t, to_W2, to_h2, n_steps,
    M: tl.constexpr, L: tl.constexpr, BM: tl.constexpr, BL: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    """Gradients of W1, W2 and h2 from one sample of one member, for `BJ` of the hidden units."""
    sample, member = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    run = member * tl.num_programs(0) + sample
    i, j = tl.arange(0, BM), tl.program_id(2) * BJ + tl.arange(0, BJ)
    on, at = i < M, run * n_steps * M + i
    w1, w2, c2 = load_weights(weights, h2, member, i, j, L, BM, BL)
    next_x = tl.load(mixed + at, mask=on, other=0.0)
    next_g = tl.load(total + at, mask=on, other=0.0)
    sum_W1, sum_W2, sum_h2 = tl.zeros_like(w1), tl.zeros_like(w2), tl.zeros_like(c2)
    for t in range(n_steps):
        x, g = next_x, next_g
        at += M
        more = i < tl.where(t + 1 < n_steps, M, 0)
        next_x = tl.load(mixed + at, mask=more, other=0.0)
        next_g = tl.load(total + at, mask=more, other=0.0)
        u = hidden_layer(w2, c2, x)
        d = where_active(u, tl.sum(w1 * g[None, :], 1))
        sum_W1 += where_active(u, u)[:, None] * g[None, :]
        sum_W2 += d[:, None] * x[None, :]
        sum_h2 += d
    both = (j < L)[:, None] & on[None, :]
    to = run * M * L + j[:, None] * M + i[None, :]
    tl.store(to_W1t + to, sum_W1, mask=both)
    tl.store(to_W2 + to, sum_W2, mask=both)
    tl.store(to_h2 + run * L + j, sum_h2, mask=j < L)
