"""Populations of bidirectional LSTM layers in JAX: a `lax.scan` each way, `vmap` over individuals, and `jit`.

Inputs are multiplied before the scan, which is faster here than within it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evorrn.bench.peers.jax_peer import on_device, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch

Arrays = dict[str, jax.Array]


def fitness(weights: Weights, batch: Batch) -> Contender:
    """Return the contender that scores P individuals, their blocks stacked."""
    layers = 1 + max(int(name[5 : name.index(".")]) for name in weights if name.startswith("layer"))
    given = {"W": weights["readout.W"], "b": weights["readout.b"]}
    for layer in range(layers):
        for way in ("forward", "backward"):
            for letter in "WUb":
                place = f"layer{layer}.{way}"
                blocks = [weights[f"{place}.{letter}_{gate}"] for gate in "ifgo"]
                given[f"{place}.{letter}"] = np.concatenate(blocks, axis=1)
    arrays, x, y = on_device(given), *time_first(batch)

    def loss(w: Arrays, x: jax.Array, y: jax.Array) -> jax.Array:
        for layer in range(layers):
            there = _scan(w, f"layer{layer}.forward", x, reverse=False)
            x = jnp.concatenate([there, _scan(w, f"layer{layer}.backward", x, reverse=True)], axis=2)
        return jnp.mean(jnp.square(x @ w["W"].T + w["b"] - y))

    losses = jax.jit(jax.vmap(loss, in_axes=(0, None, None)))

    def call() -> Any:
        return jax.block_until_ready(losses(arrays, x, y))

    return Contender("JAX jit(vmap(scan))", call, lambda: [np.asarray(call())])


def _scan(w: Arrays, place: str, x: jax.Array, reverse: bool) -> jax.Array:
    """Return the series (T, B, H) of one pass over inputs (T, B, I)."""
    recurrent = w[f"{place}.U"]
    zero = jnp.zeros((x.shape[1], recurrent.shape[1]))

    def move(state: Any, now: jax.Array) -> Any:
        h, c = state
        i, f, g, o = jnp.split(now + h @ recurrent.T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    inputs = x @ w[f"{place}.W"].T + w[f"{place}.b"]
    _, series = jax.lax.scan(move, (zero, zero), inputs, reverse=reverse)
    return series
