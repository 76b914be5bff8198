"""JAX as its users write recurrent networks: `lax.scan` over time, `vmap` over individuals, `jit` over all.

Of the forms that were tried, the fastest: inputs are multiplied within the scan, and the loss is summed
in its carry, so that no outputs are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evorrn.bench.peers.weights import Weights, compared
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch

jax.config.update("jax_platforms", "cpu")


def fitness(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that scores P individuals, their weights stacked."""
    given, x, y = on_device(weights), *time_first(batch)
    losses = jax.jit(jax.vmap(lambda w, x, y: mean_squared_error(cell, w, x, y), in_axes=(0, None, None)))

    def call() -> Any:
        return jax.block_until_ready(losses(given, x, y))

    return Contender("JAX jit(vmap(scan))", call, lambda: [np.asarray(call())])


def gradient(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of one set of weights."""
    given, x, y = on_device(weights), *time_first(batch)
    value_and_gradient = jax.jit(jax.value_and_grad(lambda w, x, y: mean_squared_error(cell, w, x, y)))

    def call() -> Any:
        return jax.block_until_ready(value_and_gradient(given, x, y))

    return Contender("JAX jit(grad(scan))", call, lambda: compared(*call()))


def mean_squared_error(cell: str, w: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the loss of one network on inputs (T, B, I) and targets (T, B, O)."""
    step = CELLS[cell]
    zero = jnp.zeros((x.shape[1], w["recurrent"].shape[1]))

    def move(carry: Any, now: Any) -> Any:
        state, total = carry
        state = step(w, now[0], *state)
        error = state[0] @ w["readout"].T + w["readout_bias"] - now[1]
        return (state, total + jnp.sum(jnp.square(error))), None

    start = (zero, zero) if cell == "lstm" else (zero,)
    (_, total), _ = jax.lax.scan(move, (start, jnp.zeros(())), (x, y))
    return total / y.size


def on_device(weights: Weights) -> dict[str, jax.Array]:
    """Return weights as JAX holds them, in float32."""
    return {name: jnp.asarray(values, jnp.float32) for name, values in weights.items()}


def time_first(batch: Batch) -> tuple[jax.Array, jax.Array]:
    """Return inputs (T, B, I) and targets (T, B, O)."""
    x, y = (jnp.asarray(values, jnp.float32).swapaxes(0, 1) for values in (batch.inputs, batch.targets))
    return x, y


def _elman(w: dict[str, jax.Array], x: jax.Array, h: jax.Array) -> tuple[jax.Array, ...]:
    return (jnp.tanh(x @ w["input"].T + h @ w["recurrent"].T + w["bias"]),)


def _lstm(w: dict[str, jax.Array], x: jax.Array, h: jax.Array, c: jax.Array) -> tuple[jax.Array, ...]:
    i, f, g, o = jnp.split(x @ w["input"].T + h @ w["recurrent"].T + w["bias"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(w: dict[str, jax.Array], x: jax.Array, h: jax.Array) -> tuple[jax.Array, ...]:
    r, z, n = jnp.split(x @ w["input"].T + w["bias"], 3, axis=1)
    r_h, z_h, n_h = jnp.split(h @ w["recurrent"].T + w["recurrent_bias"], 3, axis=1)
    z = jax.nn.sigmoid(z + z_h)
    return ((1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h) + z * h,)


CELLS: dict[str, Callable[..., tuple[jax.Array, ...]]] = {"elman": _elman, "lstm": _lstm, "gru": _gru}
