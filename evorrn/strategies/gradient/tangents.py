"""Changes of a network's outputs along a direction of its genome: the product of their Jacobian with a vector."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evorrn.compile.many import Values, evaluate
from evorrn.compile.step import OUTPUT
from evorrn.compile.tangent import tangent
from evorrn.strategies.gradient.observation import probability_derivative

if TYPE_CHECKING:
    from evorrn.compile.graph import Graph
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network


class Tangent:
    """The outputs of a genome on a batch, and their changes along directions, in NumPy and float64.

    It comes from the tangent of the network's graph, so every cell has it.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    batch : Batch
    """

    def __init__(self, network: Network, genome: np.ndarray, batch: Batch) -> None:
        self._network, self._batch = network, batch
        self._teacher = network.warm_up(batch)
        weights = {**network.fixed_arrays, **network.weights(genome)}
        options = {name: np.asarray(network.numbers[name], np.float64) for name in network.step.options}
        self._fixed = {name: value.astype(np.float64) for name, value in weights.items()} | options
        sizes = network.sizes
        self._shapes = {name: tuple(sizes[d] for d in shape) for name, shape in network.step.states.items()}

    def along(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the outputs (B, T, O), and their derivative (B, T, O) along a direction (n,) of the genome.

        Source: Pearlmutter 1994, the operator R{.}; for recurrent networks Martens & Sutskever 2011.
        """
        network, batch = self._network, self._batch
        given = {**self._fixed, **self._moved(direction)}
        state = np.tile(network.first_state.astype(np.float64), (batch.size, 1))
        change = np.zeros_like(state)
        outputs, changes = np.zeros((2, batch.size, batch.steps, network.outputs))
        for t in range(batch.steps):
            if self._teacher is not None:
                taught = np.isfinite(self._teacher[:, t])
                state[:, -network.outputs :][taught] = self._teacher[:, t][taught]
                change[:, -network.outputs :][taught] = 0
            named = {**self._split(state), **{f"dot.{n}": part for n, part in self._split(change).items()}}
            x = np.asarray(batch.inputs[:, t], np.float64)
            found = evaluate(self._graph, {**given, **named, "x": x}, self._graph.outputs.values())
            outputs[:, t], changes[:, t] = self._result(found, OUTPUT), self._result(found, f"dot.{OUTPUT}")
            state, change = np.empty_like(state), np.empty_like(change)
            for prefix, whole in (("", state), ("dot.", change)):
                for name, part in self._split(whole).items():
                    part[...] = self._result(found, prefix + name)
            if OUTPUT in self._shapes:
                state[:, -network.outputs :] = network.loss_function.feed(outputs[:, t], network.fed_back)
                change[:, -network.outputs :] = self._fed(outputs[:, t], changes[:, t])
        return outputs, changes

    def _moved(self, direction: np.ndarray) -> dict[str, np.ndarray]:
        """Return the changes of all weights, of those that follow from genes too, by their names in the tangent."""
        blocks = self._network.unpack(np.asarray(direction, np.float64))
        moved = {f"dot.{name}": block for name, block in blocks.items()}
        if self._early is not None:
            found = evaluate(self._early, {**self._fixed, **moved}, self._early.outputs.values())
            derived = self._network.step.prologue
            assert derived is not None
            for name in derived.shapes:
                shape = self._fixed[name].shape
                change = (
                    found[self._early.outputs[f"dot.{name}"]] if f"dot.{name}" in self._early.outputs else 0.0
                )
                moved[f"dot.{name}"] = np.broadcast_to(change, shape)
        return moved

    @cached_property
    def _early(self) -> Graph | None:
        prologue = self._network.step.prologue
        return None if prologue is None else tangent(prologue.graph, prologue.graph.leaves("parameter"))

    @cached_property
    def _graph(self) -> Graph:
        graph = self._network.step.graph
        return tangent(graph, [*self._network.step.states, *graph.leaves("parameter")])

    def _split(self, state: np.ndarray) -> dict[str, np.ndarray]:
        parts, start = {}, 0
        for name, shape in self._shapes.items():
            stop = start + int(np.prod(shape))
            parts[name] = state[:, start:stop].reshape(len(state), *shape)
            start = stop
        return parts

    def _result(self, found: Values, name: str) -> np.ndarray | float:
        """Return a result of the tangent (B, ...), 0 for a change of what does not vary."""
        outputs: Mapping[str, int] = self._graph.outputs
        return found[outputs[name]] if name in outputs else 0.0

    def _fed(self, outputs: np.ndarray, changes: np.ndarray) -> np.ndarray:
        """Return the changes (B, O) of what goes back into the network for changes (B, O) of the outputs."""
        kind = self._network.fed_back
        if kind == "probability":
            slope = probability_derivative(self._network.loss_function, outputs)
            return (slope @ changes[:, :, None])[:, :, 0]
        return changes if kind == "output" else np.zeros_like(changes)
