"""braintrace's SnAp along one series."""

from __future__ import annotations

from typing import Any

import brainstate
import braintrace
import jax
import jax.numpy as jnp
import numpy as np

from evorrn.bench.peers.jax_peer import on_device, time_first
from evorrn.bench.peers.weights import Weights, compared
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch


def contender(order: int, weights: Weights, batch: Batch) -> Contender:
    """Return the contender of an order, for an Elman network."""
    x, y = (array[:, 0] for array in time_first(batch))
    w = on_device({name: values for name, values in weights.items() if name != "recurrent_bias"})
    inputs = x.shape[1]
    cell = braintrace.nn.ValinaRNNCell(inputs, w["recurrent"].shape[0], activation="tanh")
    brainstate.nn.init_all_states(cell)
    (own,) = cell.states(brainstate.ParamState).values()
    own.value = {"weight": jnp.concatenate([w["input"], w["recurrent"]], axis=1).T, "bias": w["bias"]}
    readout = brainstate.ParamState({"weight": w["readout"], "bias": w["readout_bias"]})
    trained = {"cell": own, "readout": readout}
    learner = braintrace.SnAp(cell, n=order)
    learner.compile_graph(x[0])

    def loss(now: tuple[jax.Array, jax.Array]) -> jax.Array:
        outputs = readout.value["weight"] @ learner(now[0]) + readout.value["bias"]
        return jnp.sum((outputs - now[1]) ** 2) / y.size

    derivative = brainstate.transform.grad(loss, trained, return_value=True)

    def run(x: jax.Array, y: jax.Array) -> Any:
        brainstate.nn.reset_all_states(cell)
        learner.reset_state()

        def move(carry: Any, now: Any) -> tuple[Any, None]:
            gradient, value = derivative(now)
            return jax.tree.map(jnp.add, carry, (gradient, value)), None

        start = {key: jax.tree.map(jnp.zeros_like, state.value) for key, state in trained.items()}
        return brainstate.transform.scan(move, (start, jnp.zeros(())), (x, y))[0]

    compiled = brainstate.transform.jit(run)

    def check() -> tuple[np.ndarray, ...]:
        gradient, total = compiled(x, y)
        by_cell, by_readout = gradient["cell"], gradient["readout"]
        matrix = by_cell["weight"].T
        found = {"input": matrix[:, :inputs], "recurrent": matrix[:, inputs:], "bias": by_cell["bias"]}
        last = {"readout": by_readout["weight"], "readout_bias": by_readout["bias"]}
        return compared(total, {**found, **last})

    return Contender(f"braintrace, SnAp {order}", lambda: jax.block_until_ready(compiled(x, y)), check)
