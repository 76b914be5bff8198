"""Time steps of many individuals at once in NumPy, for environments that cannot run inside a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.compile.many import evaluate
from evorrn.compile.op import size_of
from evorrn.compile.ops import LEAVES, OPS
from evorrn.network.states import ShownNetwork

LANES = 64
"""Cells of arrays run in a multiple of so many lanes."""


class Stepper:
    """Runs individuals of one network time step by time step. Each lane has the weights and the state of one.

    Lanes are the last axis of every array, so one NumPy call computes an operation for all of them. The results
    of a lane do not depend on the other lanes.

    Parameters
    ----------
    network : ShownNetwork
    lanes : int
        Number of lanes.
    """

    def __init__(self, network: ShownNetwork, lanes: int) -> None:
        self.network = network
        self.graph = network.step.graph
        dtype, sizes = network.dtype, network.sizes
        self._weights = {
            name: np.zeros((*(size_of(d, sizes) for d in shape), lanes), dtype)
            for name, shape in network.step.weights.items()
        }
        self._states = {
            name: np.zeros((*(size_of(d, sizes) for d in shape), lanes), dtype)
            for name, shape in network.step.states.items()
        }
        self._options = {name: dtype.type(network.numbers[name]) for name in network.step.options}

    def begin(self, lanes: np.ndarray, genomes: np.ndarray) -> None:
        """Set the weights of the lanes with the indices (K,) to genomes (K, n), and their states to the first ones."""
        for row, lane in enumerate(lanes):
            for name, weights in self.network.weights(genomes[row]).items():
                self._weights[name][..., lane] = weights
        for name, state in self._states.items():
            state[..., lanes] = self.network.step.start.get(name, 0.0)

    def step(self, x: np.ndarray) -> np.ndarray:
        """Take one time step with inputs (lanes, I): update the states and return the outputs (lanes, O)."""
        given = {**self._weights, **self._states, **self._options}
        given["x"] = np.ascontiguousarray(x.T, self.network.dtype)
        new = self._vectors(given) if self.network.step.plain else self._arrays(given)
        self._states = {name: new[name] for name in self._states}
        if self.network.step.feeds_back:
            self._states["y"] = self.network.loss_function.feed(new["y"].T, self.network.fed_back).T
        return new["y"].T

    def _arrays(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the results of the equations of any cell."""
        # NumPy's order of adding may depend on the number of lanes, so it is the same in every run.
        lanes = given["x"].shape[-1]
        wide = np.arange(-(-lanes // LANES) * LANES) % lanes
        by_lane = {
            name: np.ascontiguousarray(np.moveaxis(value, -1, 0)[wide]) if np.ndim(value) else value
            for name, value in given.items()
        }
        found = evaluate(self.graph, by_lane, self.graph.outputs.values())
        results = {}
        for name, index in self.graph.outputs.items():
            shape = found[index].shape[found[index].ndim - len(self.graph.nodes[index].shape) :]
            every = np.broadcast_to(found[index], (len(wide), *shape))[:lanes]
            results[name] = np.moveaxis(every, 0, -1).astype(self.network.dtype)
        return results

    def _vectors(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the results of equations of vectors."""
        results: list[Any] = []
        with np.errstate(all="ignore"):
            for node in self.graph.nodes:
                if node.op == "constant":
                    results.append(self.network.dtype.type(node.value))
                elif node.op in LEAVES:
                    results.append(given[node.name])
                else:
                    operands = [results[operand] for operand in node.operands]
                    if node.op == "matvec":
                        results.append(_product(*operands))
                    else:
                        results.append(OPS[node.op].compute(node.form, *operands))
        return {name: results[index] for name, index in self.graph.outputs.items()}


def _product(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return matrices (M, N, lanes) times vectors (N, lanes); columns are added in order, for any number of lanes."""
    total = matrix[:, 0] * vector[0]
    for column in range(1, len(vector)):
        total += matrix[:, column] * vector[column]
    return total
