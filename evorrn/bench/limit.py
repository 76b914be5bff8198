"""The honest limit of a forward pass: its products at the rate of multiply-adds, its activations at theirs.

Both are timed in the turns of the other contenders: multiply-adds on registers alone, and loops of the
activations over a buffer in the fastest cache, as many of each as the pass needs and on as many threads.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from evorrn.batch import Batch
from evorrn.bench.session import Contender
from evorrn.kernels import activations, threads
from evorrn.kernels.machine import lanes
from evorrn.kernels.separate import SeparateArrays
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, width_of
from evorrn.network import Network

CHAINS = 12
"""Sums side by side: more than the latency of a multiply-add, fewer than any processor has registers."""

BUFFER = 2048
"""Numbers of a buffer in the fastest cache."""

ACTIVATIONS = ("tanh", "sigmoid", "exp", "softplus")


def contender(network: Network, batch: Batch, work: int, individuals: int) -> Contender:
    """Return the limit of a population's fitness.

    Parameters
    ----------
    network : Network
    batch : Batch
    work : int
        Multiply-adds of the products.
    individuals : int
    """
    rounds = math.ceil(work / (CHAINS * lanes(network.dtype)))
    passes = {
        name: math.ceil(numbers * individuals * batch.moved_steps / BUFFER)
        for name, numbers in _activations(network).items()
    }
    x, y = np.random.default_rng(0).standard_normal((2, BUFFER)).astype(network.dtype)
    loops = {name: _loop(name) for name in passes}

    def part(first: int, last: int, shares: int) -> None:
        own = np.empty_like(y)
        for _ in range(first, last):
            _multiply_adds(own, rounds // shares)
            for name, count in passes.items():
                loops[name](x, own, count // shares)

    def call() -> None:
        shares = threads.get_threads()
        threads.share(shares, part, shares)

    return Contender("honest limit", call, unit="of the limit")


def _activations(network: Network) -> Counter[str]:
    """Return how many numbers of each activation a time step needs."""
    graph, found = network.step.graph, Counter[str]()
    for index in graph.reachable(graph.outputs.values()):
        node = graph.nodes[index]
        if node.op in ACTIVATIONS:
            found[node.op] += math.prod(network.sizes[dimension] for dimension in node.shape)
    return found


def _loop(name: str) -> Callable[[np.ndarray, np.ndarray, int], None]:
    """Return the loop of an activation over a buffer, a number of times."""
    activation = getattr(activations, name)

    @njit(fastmath={"contract"}, error_model="numpy", nogil=True, pipeline_class=SeparateArrays)
    def loop(x: Any, y: Any, times: Any) -> None:
        for _ in range(times):
            for k in range(x.shape[0]):
                y[k] = activation(x[k])

    return loop


@intrinsic
def _chains(typingctx: Any, out: Any, rounds: Any) -> Any:
    """Write the last of `CHAINS` sums of `rounds` products of vectors each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(out)
        pointer = scalar.as_pointer()
        name = f"evorrn_chains_{'f' if isinstance(scalar, ir.FloatType) else 'd'}"
        function = new_function(builder.module, name, [pointer, I64])
        if function is not None:
            b = ir.IRBuilder(function.append_basic_block("entry"))
            v = Vector(b, scalar, width_of(out))
            places = [integer(k * v.width) for k in range(CHAINS)]
            factor = v.load(function.args[0], places[0])
            loop = Loop(
                b, integer(0), function.args[1], integer(1), [v.load(function.args[0], p) for p in places]
            )
            for place, total in zip(
                places, loop.close([v.fma(factor, factor, value) for value in loop.values])
            ):
                v.store(total, function.args[0], place)
            b.ret_void()
        data = context.make_array(out)(context, builder, arguments[0]).data
        builder.call(builder.module.globals[name], [data, arguments[1]])
        return context.get_dummy_value()

    return types.void(out, types.int64), generate


@njit(nogil=True)
def _multiply_adds(out: Any, rounds: Any) -> None:
    out[:] = 0
    _chains(out, rounds)  # type: ignore[call-arg]
