"""The layers of a network as networks of their own, and how losses go back from layer to layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.strategies.online.influence import influence_of

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.network.network import Network


class Links:
    """The entries of a matrix that can differ from zero, by which vectors are multiplied from the left.

    Parameters
    ----------
    pattern : ndarray of bool, shape (R, C)
    """

    def __init__(self, pattern: np.ndarray) -> None:
        columns, rows = np.nonzero(pattern.T)
        self.rows, self.columns, self._width = rows, columns, pattern.shape[1]
        self._reached, self._first = np.unique(columns, return_index=True)

    def __len__(self) -> int:
        return len(self.rows)

    def product(self, vectors: np.ndarray, entries: np.ndarray) -> np.ndarray:
        """Return vectors (..., R) times matrices whose entries have the shape (..., K)."""
        found = np.zeros((*vectors.shape[:-1], self._width), vectors.dtype)
        if len(self):
            found[..., self._reached] = np.add.reduceat(
                vectors[..., self.rows] * entries, self._first, axis=-1
            )
        return found


class Layer:
    """A layer of a network as a network whose outputs are what the next layer sees.

    Parameters
    ----------
    network : Network
    number : int

    Attributes
    ----------
    network : Network
    old, inputs : Links
        Which new states depend on which old ones, and on which inputs.
    seen : ndarray of int
        The entries of the state that the next layer sees.
    """

    def __init__(self, network: Network, number: int) -> None:
        from evorrn.network.network import Network

        below = network.inputs if number == 0 else _width(network, number - 1)
        self._prefix, self._whole = f"layer{number}.", network
        self.network = Network(
            below,
            _width(network, number),
            cell=network.cells[number],
            hidden=network.hidden[number],
            cell_options=_options(network, number),
            dtype=network.dtype,
            biases=network.biases,
            learn_start=network.learn_start,
        )
        self.structure = self.network.step_structure_with_inputs
        self.influence = influence_of(self.structure)
        self.old, self.inputs = Links(self.structure.pattern.old), Links(self.structure.pattern.inputs)
        self.seen = self.structure.seen
        places = [
            place for name, place in network.step_structure.places.items() if name.startswith(self._prefix)
        ]
        self.states = slice(places[0].start, places[-1].stop)

    @property
    def local(self) -> bool:
        """Whether the past of a unit reaches no other unit of the layer."""
        products = any(term.state for term in self.structure.layout.terms)
        reached = (np.isin(rows, self.seen).sum() for stack in self.influence.stacks for rows in stack.rows)
        return not products and all(count <= 1 for count in reached)

    def genome(self, whole: np.ndarray) -> np.ndarray:
        """Return the genome of this layer alone from that of the network; its outputs are the units themselves."""
        blocks = self._whole.unpack(whole)
        own = {
            name: blocks[name.replace("layer0.", self._prefix, 1)]
            for name in self.network.blocks
            if name.startswith("layer0.")
        }
        width = self.network.outputs
        own["readout.W"] = np.eye(width)
        return self.network.pack(own | ({"readout.b": np.zeros(width)} if self.network.biases else {}))

    def run(self, whole: np.ndarray, x: np.ndarray, lengths: np.ndarray, state: np.ndarray) -> StepJacobians:
        """Return the time steps of the layer from those of the layer below, with their derivatives.

        Sequences of length 0 are shown as one step long.
        """
        return self.network.linked_jacobians(self.genome(whole), x, np.maximum(lengths, 1), state)

    def add(self, gradient: np.ndarray, own: np.ndarray) -> None:
        """Add the gradient (N,) of all weights of the layer to that of all weights of the network."""
        whole = self._whole.step_structure.slices
        for name, place in self.structure.slices.items():
            if name.startswith("layer0."):
                gradient[whole[name.replace("layer0.", self._prefix, 1)]] += own[place]


def _width(network: Network, number: int) -> int:
    """Return how many numbers the next layer sees of a layer."""
    from evorrn.network.network import Network

    about = network.cells[number], network.hidden[number], _options(network, number)
    alone = Network(1, 1, cell=about[0], hidden=about[1], cell_options=about[2])
    return alone.blocks["readout.W"][1]


def _options(network: Network, number: int) -> Any:
    options = network.cell_options
    return options[number] if isinstance(options, list) else options
