"""JAX carrying the influence of the weights forward: as an expert writes it, and by its own derivatives of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from evorrn.bench.peers.jax_peer import CELLS, on_device, time_first
from evorrn.bench.peers.weights import Weights, compared
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch

READOUT = ("readout", "readout_bias")


def contender(form: str, cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender of a form: ``"expert"``, ``"jacrev"`` (with jacfwd) or ``"jacfwd"`` (alone)."""
    return _expert(cell, weights, batch) if form == "expert" else _derived(form, cell, weights, batch)


def _expert(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that folds the slopes into the recurrent matrix: one product and one scatter a step."""
    if cell != "elman":
        raise ValueError(f"only elman is written by hand, got {cell}")
    w, x, y = _given(weights, batch)
    hidden, width = w["recurrent"].shape[0], w["input"].shape[1] + w["recurrent"].shape[0] + 1
    matrix = jnp.concatenate([w["input"], w["recurrent"], w["bias"][:, None]], axis=1)
    rows = jnp.arange(hidden)

    def step(h: jax.Array, influence: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = jnp.concatenate([now, h, jnp.ones(1)])
        h = jnp.tanh(matrix @ z)
        slope = 1 - h * h
        moved = ((slope[:, None] * w["recurrent"]) @ influence).reshape(hidden, hidden, width)
        return h, moved.at[rows, rows].add(slope[:, None] * z).reshape(hidden, -1)

    def blocks(gradient: jax.Array) -> dict[str, jax.Array]:
        split = gradient.reshape(hidden, width)
        inputs = w["input"].shape[1]
        return {"input": split[:, :inputs], "recurrent": split[:, inputs:-1], "bias": split[:, -1]}

    run = _run(w, step, hidden, hidden * width, hidden)
    return _contender("JAX, slopes folded, dot and scatter", lambda: run(x, y), blocks)


def _derived(way: str, cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that takes the derivatives of a step from JAX: by ``"jacrev"`` with jacfwd, or ``"jacfwd"`` alone."""
    w, x, y = _given(weights, batch)
    vector, blocks = ravel_pytree({name: w[name] for name in w if name not in READOUT})
    hidden = w["recurrent"].shape[1]
    size = hidden * (2 if cell == "lstm" else 1)

    def moved(p: jax.Array, state: jax.Array, now: jax.Array) -> jax.Array:
        parts = CELLS[cell](blocks(p), now[None], *jnp.split(state[None], size // hidden, axis=1))
        return jnp.concatenate(parts, axis=1)[0]

    def folded(state: jax.Array, influence: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        by_state = jax.jacfwd(moved, argnums=1)(vector, state, now)
        return moved(vector, state, now), by_state @ influence + jax.jacrev(moved)(vector, state, now)

    def along(state: jax.Array, influence: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = jax.jacfwd(lambda p: moved(p, state + influence @ (p - vector), now))(vector)
        return moved(vector, state, now), found

    run = _run(w, folded if way == "jacrev" else along, size, vector.size, hidden)
    label = "JAX jacfwd with jacrev" if way == "jacrev" else "JAX jacfwd"
    return _contender(label, lambda: run(x, y), blocks)


def _given(weights: Weights, batch: Batch) -> tuple[dict[str, jax.Array], jax.Array, jax.Array]:
    """Return the weights that are read, and the inputs (T, I) and targets (T, O) of one sequence."""
    x, y = time_first(batch)
    used = {name: values for name, values in weights.items() if name != "recurrent_bias"}
    return on_device(used), x[:, 0], y[:, 0]


def _run(
    w: dict[str, jax.Array],
    step: Callable[..., tuple[jax.Array, jax.Array]],
    size: int,
    genes: int,
    hidden: int,
) -> Callable[[jax.Array, jax.Array], Any]:
    """Return a compiled function from inputs and targets to loss, gradient of the cell, and that of the readout."""

    def run(x: jax.Array, y: jax.Array) -> Any:
        def move(carry: Any, now: Any) -> Any:
            state, influence, gradient, of_readout, total = carry
            state, influence = step(state, influence, now[0])
            error = w["readout"] @ state[:hidden] + w["readout_bias"] - now[1]
            back = 2 / y.size * error
            gradient += (back @ w["readout"]) @ influence[:hidden]
            outer = back[:, None] * jnp.append(state[:hidden], 1)
            return (state, influence, gradient, of_readout + outer, total + jnp.sum(error**2)), None

        start = (
            jnp.zeros(size),
            jnp.zeros((size, genes)),
            jnp.zeros(genes),
            jnp.zeros((y.shape[1], hidden + 1)),
            jnp.zeros(()),
        )
        (_, _, gradient, of_readout, total), _ = jax.lax.scan(move, start, (x, y))
        return total / y.size, gradient, of_readout

    return jax.jit(run)


def _contender(label: str, call: Callable[[], Any], blocks: Callable[[Any], dict[str, Any]]) -> Contender:
    def check() -> tuple[np.ndarray, ...]:
        loss, gradient, of_readout = call()
        found = {**blocks(gradient), "readout": of_readout[:, :-1], "readout_bias": of_readout[:, -1]}
        return compared(loss, found)

    return Contender(label, lambda: jax.block_until_ready(call()), check)
