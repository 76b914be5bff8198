"""One time step of many individuals at once in NumPy, for worlds that cannot run inside a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.compile.ops import LEAVES, OPS

if TYPE_CHECKING:
    from evorrn.network.network import Network


class Stepper:
    """Networks of one kind side by side, each lane with the weights of its own individual.

    The last axis of every array is that of the lanes, so an operation is one call for all of them, and what
    a lane computes does not depend on the others.

    Parameters
    ----------
    network : Network
    lanes : int
    """

    def __init__(self, network: Network, lanes: int) -> None:
        self.network = network
        self.graph = network.step.graph
        dtype, sizes = network.dtype, network.sizes
        self._weights = {name: np.zeros((*shape, lanes), dtype) for name, shape in network.blocks.items()}
        self._states = {
            name: np.zeros((sizes[dimension], lanes), dtype)
            for name, dimension in network.step.states.items()
        }
        self._options = {
            name: dtype.type(network.cell_options[option]) for name, option in network.step.options.items()
        }

    def begin(self, lanes: np.ndarray, genomes: np.ndarray) -> None:
        """Give lanes (K,) the genomes (K, n) of other individuals, and states of zero."""
        for row, lane in enumerate(lanes):
            for name, block in self.network.unpack(genomes[row]).items():
                self._weights[name][..., lane] = block
        for state in self._states.values():
            state[:, lanes] = 0

    def step(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs (lanes, O) for the inputs (lanes, I) of one time step, and move the states."""
        given = {**self._weights, **self._states, **self._options}
        given["x"] = np.ascontiguousarray(x.T, self.network.dtype)
        results: list[Any] = []
        with np.errstate(all="ignore"):
            for node in self.graph.nodes:
                if node.op == "constant":
                    results.append(self.network.dtype.type(node.value))
                elif node.op in LEAVES:
                    results.append(given[node.name])
                else:
                    meaning = _product if node.op == "matvec" else OPS[node.op].numpy
                    results.append(meaning(*[results[operand] for operand in node.operands]))
        new = {name: results[index] for name, index in self.graph.outputs.items()}
        self._states = {name: new[name] for name in self._states}
        return new["y"].T


def _product(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return matrices (M, N, lanes) times vectors (N, lanes), column by column in order, whatever the lanes."""
    total = matrix[:, 0] * vector[0]
    for column in range(1, len(vector)):
        total += matrix[:, column] * vector[column]
    return total
