"""JAX as its users write cells of their own: a step for a batch, `lax.scan`, `vmap` over individuals, and `jit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evorrn.bench.peers.jax_peer import on_device, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch

Arrays = dict[str, jax.Array]
State = tuple[jax.Array, ...]


def fitness(cell: str, weights: Weights, batch: Batch, options: Mapping[str, Any]) -> Contender:
    """Return the contender that scores P individuals, their weights stacked."""
    given, x, y = on_device(weights), *time_first(batch)
    losses = jax.jit(jax.vmap(partial(CELLS[cell], **options), in_axes=(0, None, None)))

    def call() -> Any:
        return jax.block_until_ready(losses(given, x, y))

    return Contender("JAX jit(vmap(scan))", call, lambda: [np.asarray(call())])


def gradient(cell: str, weights: Weights, batch: Batch, options: Mapping[str, Any]) -> Contender:
    """Return the contender that computes loss and gradient of one set of weights."""
    given, x, y = on_device(weights), *time_first(batch)
    value_and_gradient = jax.jit(jax.value_and_grad(partial(CELLS[cell], **options)))

    def call() -> Any:
        return jax.block_until_ready(value_and_gradient(given, x, y))

    def check() -> tuple[np.ndarray, ...]:
        loss, found = call()
        return np.array([loss]), np.concatenate([np.asarray(found[name]).ravel() for name in weights])

    return Contender("JAX jit(grad(scan))", call, check)


def _loss(w: Arrays, x: jax.Array, y: jax.Array, start: State, step: Callable[..., tuple[State, Any]]) -> Any:
    """Return the mean squared error of a cell whose `step` gives its new state and what the readout sees."""

    def move(carry: Any, now: Any) -> Any:
        state, total = carry
        state, seen = step(now[0], *state)
        error = seen @ w["readout.W"].T + w["readout.b"] - now[1]
        return (state, total + jnp.sum(jnp.square(error))), None

    (_, total), _ = jax.lax.scan(move, (start, jnp.zeros(())), (x, y))
    return total / y.size


def _second_order(w: Arrays, x: jax.Array, y: jax.Array) -> Any:
    def step(x: jax.Array, h: jax.Array) -> tuple[State, Any]:
        h = jax.nn.sigmoid(jnp.einsum("ijk,bj,bk->bi", w["W"], h, x) + w["b"])
        return (h,), h

    return _loss(w, x, y, (jnp.zeros((x.shape[1], len(w["b"]))),), step)


def _ctrnn(w: Arrays, x: jax.Array, y: jax.Array, method: str) -> Any:
    assert method == "rk4"
    tau = jnp.exp(w["log_tau"])

    def step(x: jax.Array, v: jax.Array) -> tuple[State, Any]:
        drive = x @ w["W_x"].T

        def slope(u: jax.Array) -> jax.Array:
            return (jax.nn.sigmoid(u + w["theta"]) @ w["W"].T + drive - u) / tau

        a = slope(v)
        b = slope(v + a / 2)
        c = slope(v + b / 2)
        d = slope(v + c)
        v = v + (a + 2 * b + 2 * c + d) / 6
        return (v,), jax.nn.sigmoid(v + w["theta"])

    return _loss(w, x, y, (jnp.zeros((x.shape[1], len(tau))),), step)


def _stack(w: Arrays, x: jax.Array, y: jax.Array, K: int) -> Any:
    actions, values = w["A"].reshape(3 * K, -1).T, w["V"].T
    sequences, hidden = x.shape[1], len(w["b"])

    def step(x: jax.Array, h: jax.Array, stack: jax.Array) -> tuple[State, Any]:
        h = jax.nn.sigmoid(
            x @ w["W_x"].T
            + h @ w["W_h"].T
            + stack[:, 0] @ w["W_top"].T
            + stack[:, 1] @ w["W_next"].T
            + w["b"]
        )
        share = jax.nn.softmax((h @ actions).reshape(sequences, K, 3) + w["a"])[:, None]
        top = jax.nn.sigmoid(h @ values + w["v"])[:, None]
        pushed = jnp.concatenate([top, stack[:, :-1]], axis=1)
        popped = jnp.concatenate([stack[:, 1:], jnp.full_like(top, -1)], axis=1)
        return (h, share[..., 0] * pushed + share[..., 1] * popped + share[..., 2] * stack), h

    start = jnp.zeros((sequences, hidden)), jnp.full((sequences, 32, K), -1.0)
    return _loss(w, x, y, start, step)


HEADS = ["K_w", "B_w", "G_w", "S_w", "C_w", "E", "A", "K_r", "B_r", "G_r", "S_r", "C_r"]


def _ntm(w: Arrays, x: jax.Array, y: jax.Array) -> Any:
    heads = jnp.concatenate([w[name].reshape(-1, w[name].shape[-1]) for name in HEADS]).T
    biases = jnp.concatenate([w[name.lower()].ravel() for name in HEADS])
    splits = np.cumsum([w[name].size // w[name].shape[-1] for name in HEADS])[:-1].tolist()
    gates = [jnp.concatenate([w[f"{name}_{gate}"] for gate in "ifgo"]) for name in "WRUb"]
    W, R, U = gates[0].T, gates[1][:, 0].T, gates[2].T
    sequences, hidden, width, size = x.shape[1], len(w["b_i"]), R.shape[0], 32

    def step(x: jax.Array, h: Any, c: Any, r: Any, memory: Any, read: Any, write: Any) -> Any:
        i, f, g, o = jnp.split(x @ W + r @ R + h @ U + gates[3], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        parts = jnp.split(h @ heads + biases, splits, axis=1)
        write = _address(memory, write, *parts[:5])
        erase, add = jax.nn.sigmoid(parts[5]), jnp.tanh(parts[6])
        memory = memory * (1 - write[:, :, None] * erase[:, None]) + write[:, :, None] * add[:, None]
        read = _address(memory, read, *parts[7:])
        r = jnp.einsum("bn,bnm->bm", read, memory)
        return (h, c, r, memory, read, write), jnp.concatenate([h, r], axis=1)

    first = jnp.zeros((sequences, size)).at[:, 0].set(1)
    start = (
        *[jnp.zeros((sequences, hidden))] * 2,
        jnp.zeros((sequences, width)),
        jnp.full((sequences, size, width), 1e-6),
        first,
        first,
    )
    return _loss(w, x, y, start, step)


def _address(
    memory: Any, before: Any, key: Any, strength: Any, gate: Any, shifts: Any, sharpness: Any
) -> Any:
    """Return new weights of a head (B, N)."""
    key = jnp.tanh(key)
    squares = jnp.sum(memory * memory, axis=2) + 1e-6
    length = jnp.sum(key * key, axis=1, keepdims=True) + 1e-6
    cosine = jnp.einsum("bnm,bm->bn", memory, key) / jnp.sqrt(squares * length)
    gate, shifts = jax.nn.sigmoid(gate), jax.nn.softmax(shifts)
    mixed = gate * jax.nn.softmax(jax.nn.softplus(strength) * cosine) + (1 - gate) * before
    moved = (
        shifts[:, :1] * jnp.roll(mixed, -1, 1)
        + shifts[:, 1:2] * mixed
        + shifts[:, 2:] * jnp.roll(mixed, 1, 1)
    )
    return jax.nn.softmax((1 + jax.nn.softplus(sharpness)) * jnp.log(jnp.maximum(moved, 1e-30)))


CELLS: dict[str, Callable[..., Any]] = {
    "second-order": _second_order,
    "ctrnn": _ctrnn,
    "stack": _stack,
    "ntm": _ntm,
}
