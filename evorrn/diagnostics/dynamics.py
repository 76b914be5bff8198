"""The time step of a network with given weights as a map of its state, with derivatives, in float64.

All diagnostics call a network through this class. Derivatives are those of the step's graph, so every cell has them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.compile.adjoint import adjoint
from evorrn.compile.graph import Graph, Node
from evorrn.compile.many import Plan, Values
from evorrn.compile.step import OUTPUT
from evorrn.compile.tangent import tangent
from evorrn.data.arrays import numeric
from evorrn.diagnostics.pushed import Pushed, can_be_pushed
from evorrn.network import arguments
from evorrn.network.network import Network


class Dynamics:
    """The map from a state and an input to the next state, for many sequences at once.

    A state is a vector (S,): the states of all layers one after the other, then what the network fed back where it
    sees its own output. Its order is that of the states of `evorrn.Network.predict`.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    closed : bool
        Whether the first O inputs are the network's own previous output, as in a forecast. The state then ends with
        this output.

    Attributes
    ----------
    size : int
        The length of a state, S.
    parts : dict of str to tuple of int
        The shape of each named state, in order.

    Raises
    ------
    ShapeError
        When the genome has a wrong shape.
    ConfigError
        When the outputs cannot replace inputs, or steps are linked to other steps than the last.
    """

    def __init__(self, network: Network, genome: np.ndarray, closed: bool = False) -> None:
        if closed and network.outputs > network.inputs:
            raise ConfigError(f"closed: {network.outputs} outputs cannot replace {network.inputs} inputs")
        arguments.check_chain(network, "diagnostics of a time step")
        self.network, self.closed = network, closed
        weights = {name: value.astype(np.float64) for name, value in network.weights(genome).items()}
        options = {name: np.asarray(network.numbers[name], np.float64) for name in network.step.options}
        self._plans: dict[tuple[int, tuple[int, ...]], Plan] = {}
        self._fixed: dict[str, np.ndarray] = {**weights, **options}
        sizes = network.sizes
        self.parts = {name: tuple(sizes[d] for d in shape) for name, shape in network.step.states.items()}
        if closed:
            self.parts[OUTPUT] = (network.outputs,)
        stops = np.cumsum([int(np.prod(shape)) for shape in self.parts.values()], dtype=int).tolist()
        self.size = stops[-1] if stops else 0
        self._places = list(zip(self.parts, [0, *stops], stops, self.parts.values()))

    # --- States --------------------------------------------------------------------------------------

    def split(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """Return the named states in vectors (..., S), each (..., *shape)."""
        lead = state.shape[:-1]
        return {
            name: part if len(shape) == 1 else part.reshape(*lead, *shape)
            for name, start, stop, shape in self._places
            for part in [state[..., start:stop]]
        }

    def join(self, named: dict[str, np.ndarray], lead: tuple[int, ...]) -> np.ndarray:
        """Return vectors (*lead, S) of named states; those that are missing are zero."""
        if all(
            name in named and named[name].shape == lead + shape for name, _, _, shape in self._places
        ):  # one copy, without the zeros
            flat = [
                part if len(shape) == 1 else part.reshape(*lead, -1)
                for name, _, _, shape in self._places
                for part in [named[name]]
            ]
            return np.concatenate(flat, axis=-1)
        whole = np.zeros((*lead, self.size))
        for name, part in self.split(whole).items():
            if name in named:
                part[...] = named[name]
        return whole

    def inputs(self, x: np.ndarray) -> np.ndarray:
        """Return inputs (B, T, I) as float64; raise ShapeError when they do not fit the network."""
        array = numeric("x", x)
        if array.ndim != 3 or array.shape[2] != self.network.inputs or 0 in array.shape[:2]:
            raise ShapeError(f"x: expected shape (B, T, {self.network.inputs}), got {array.shape}")
        if not np.isfinite(array).all():
            raise ShapeError("x: expected finite numbers, got NaN or infinity")
        return np.asarray(array, np.float64)

    def start(self, state: np.ndarray | None, sequences: int) -> np.ndarray:
        """Return the first states (B, S), by default those of the network; raise ShapeError when they do not fit."""
        if state is None:
            first = np.zeros(self.size)
            first[: self.network.state_size] = self.network.first_state
            return np.tile(first, (sequences, 1))
        array = numeric("state", state)
        if array.shape != (sequences, self.size):
            raise ShapeError(f"state: expected shape ({sequences}, {self.size}), got {array.shape}")
        return np.array(array, np.float64)

    @cached_property
    def counts(self) -> np.ndarray:
        """Which entries of a state (S,) only count time steps: their equation adds a constant to their last value."""
        graph, named = self._graph, {}
        for name in self.parts:
            node = graph.nodes[graph.outputs[name]]
            operands = [graph.nodes[operand] for operand in node.operands]
            own = [operand.op == "input" and operand.name == name for operand in operands]
            constant = [operand.op in ("constant", "option") for operand in operands]
            counted = node.op == "add" and any(own) and any(constant)
            named[name] = np.full(self.parts[name], counted)
        return self.join(named, ()).astype(bool)

    # --- The step ------------------------------------------------------------------------------------

    def step(self, state: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the next states (B, S) from states (B, S) and inputs (B, I)."""
        return self._next(self._run(self._graph, state, x, self._graph.outputs.values()), state.shape[:-1])

    def named(self, state: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the next states (B, S), and every named value of the equations (B, ...) at this time step.

        The names are those of `evorrn.diagnostics.activity`; named states are with their learned first values.
        """
        graph, step = self._graph, self.network.step
        nodes = {**step.named, **{name: self._learned(name)[0] for name in (*step.states, OUTPUT)}}
        found = self._run(graph, state, x, [*nodes.values(), *graph.outputs.values()])
        lead = state.shape[:-1]
        named = {}
        for name, index in nodes.items():
            shape = found[index].shape[found[index].ndim - len(graph.nodes[index].shape) :]
            named[name] = np.broadcast_to(found[index], lead + shape)
        return self._next(found, lead), named

    def push(self, state: np.ndarray, x: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the next states (B, S), and the derivative of the step in directions (B, K, S) of the state."""
        graph, lead = self._tangent, directions.shape[:-1]
        at, inputs = state[:, None], x[:, None]
        moved = {f"dot.{name}": part for name, part in self.split(directions).items()}
        if self.closed:
            rest = np.zeros((*lead, self.network.inputs - self.network.outputs))
            moved["dot.x"] = np.concatenate([moved[f"dot.{OUTPUT}"], rest], axis=-1)
        found = self._run(graph, at, inputs, self._pushed, moved)
        dots = {}
        for name in self.parts:
            if f"dot.{name}" in graph.outputs:
                dots[name] = found[graph.outputs[f"dot.{name}"]]
        if OUTPUT in dots:
            dots[OUTPUT] = self._feed_derivative(found[graph.outputs[OUTPUT]], dots[OUTPUT])
        return self._next(found, (len(state), 1))[:, 0], self.join(dots, lead)

    def carry(
        self, state: np.ndarray, x: np.ndarray, directions: np.ndarray, pushed: Pushed | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the states (B, S) after inputs (B, T, I), and the directions (B, K, S) that all the steps make of others."""
        if pushed is not None:
            moved = [pushed(*each) for each in zip(state, x, directions)]
            return np.stack([each for each, _ in moved]), np.stack([each for _, each in moved])
        for step in range(x.shape[1]):
            state, directions = self.push(state, x[:, step], directions)
        return state, directions

    def pushed(self, count: int) -> Pushed | None:
        """Return compiled steps with so many directions; None where no program can be written for the network."""
        names = tuple(self.parts)
        if self.closed or OUTPUT in names or not can_be_pushed(self._tangent, self._fixed, names):
            return None
        entries = {name: int(np.prod(shape)) for name, shape in self.parts.items()}
        return Pushed(self._tangent, self._fixed, entries, self.network.sizes, count)

    def jacobian(self, state: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the next states (B, S), and the Jacobian matrices (B, S, S) of the step at states (B, S)."""
        directions = np.broadcast_to(np.eye(self.size), (len(state), self.size, self.size))
        following, columns = self.push(state, x, directions)
        return following, columns.swapaxes(1, 2)

    def pull(self, state: np.ndarray, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient (B, S) with respect to states (B, S) from that with respect to the next states."""
        graph, names = self._adjoint, self.network.step.states
        parts = self.split(gradient)
        if OUTPUT in parts:
            forward = self._graph
            outputs = self._run(forward, state, x, [forward.outputs[OUTPUT]])[forward.outputs[OUTPUT]]
            parts[OUTPUT] = self._feed_derivative(outputs, parts[OUTPUT])
        seeds = {f"d.next.{name}": parts[name] for name in names}
        found = self._run(graph, state, x, graph.outputs.values(), seeds)
        return self.join({name: found[graph.outputs[name]] for name in graph.outputs}, state.shape[:-1])

    def output(self, following: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the outputs (B, O) that the readout makes of next states (B, S) and inputs (B, I)."""
        graph, whole = self._readout, following + self._first_values
        return self._run(graph, whole, x, [graph.outputs[OUTPUT]])[graph.outputs[OUTPUT]]

    def pull_output(self, following: np.ndarray, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient (B, S) with respect to next states (B, S) from that with respect to outputs (B, O)."""
        graph, whole = self._readout_adjoint, following + self._first_values
        found = self._run(graph, whole, x, graph.outputs.values(), {"d.output": gradient})
        return self.join({name: found[index] for name, index in graph.outputs.items()}, following.shape[:-1])

    # --- Graphs --------------------------------------------------------------------------------------

    @property
    def _graph(self) -> Graph:
        return self.network.step.graph

    @cached_property
    def _tangent(self) -> Graph:
        varying = [*self.network.step.states, *(["x"] if self.closed else [])]
        return tangent(self._graph, varying)

    @cached_property
    def _pushed(self) -> tuple[int, ...]:
        """The nodes of the next states and of their derivatives."""
        graph, names = self._tangent, [*self.parts, *(f"dot.{name}" for name in self.parts)]
        return tuple(graph.outputs[name] for name in names if name in graph.outputs)

    @cached_property
    def _adjoint(self) -> Graph:
        names = self.network.step.states
        return adjoint(self._graph, {f"d.next.{name}": name for name in names}, names).graph

    @cached_property
    def _readout(self) -> Graph:
        """The step with the new states as inputs, so that its output is a function of these."""
        nodes = list(self._graph.nodes)
        names = [name for name in self.network.step.states if name != OUTPUT]
        for index, node in enumerate(nodes):
            if node.op == "input" and node.name in names:
                nodes[index] = replace(node, name=f"old.{node.name}")
        for name in reversed(names):
            index, _ = self._learned(name)
            node = self._graph.nodes[index]
            if node.op == "identity" and self._graph.nodes[node.operands[0]].op == "input":
                index = node.operands[0]  # the readout sees the input of which the new state is a copy
            nodes[index] = Node("input", (), nodes[index].shape, name)
        return Graph(tuple(nodes), {OUTPUT: self._graph.outputs[OUTPUT]})

    def _learned(self, name: str) -> tuple[int, str]:
        """Return the node of a new state with its learned first value, and the name of that value, empty if there is none.

        The states of a network that learns their first values are what they have more than these.
        """
        nodes, index = self._graph.nodes, self._graph.outputs[name]
        if nodes[index].op == "subtract":
            whole, first = nodes[index].operands
            if nodes[first].op == "parameter" and ".start." in nodes[first].name:
                return whole, nodes[first].name
        return index, ""

    @cached_property
    def _first_values(self) -> np.ndarray:
        """The learned first value of each entry of a state (S,), else zero."""
        learned = {name: self._learned(name)[1] for name in self.network.step.states}
        return self.join({name: self._fixed[first] for name, first in learned.items() if first}, ())

    @cached_property
    def _readout_adjoint(self) -> Graph:
        return adjoint(self._readout, {"d.output": OUTPUT}, self.network.step.states).graph

    def _run(
        self,
        graph: Graph,
        state: np.ndarray,
        x: np.ndarray,
        wanted: Iterable[int],
        more: dict[str, np.ndarray] | None = None,
    ) -> Values:
        parts = self.split(state)
        if self.closed:
            x = np.concatenate([parts[OUTPUT], x[..., self.network.outputs :]], axis=-1)
        nodes = tuple(wanted)
        key = id(graph), nodes
        if key not in self._plans:
            self._plans[key] = Plan(graph, self._fixed, nodes)
        return self._plans[key]({**parts, "x": x, **(more or {})})

    def _next(self, found: Values, lead: tuple[int, ...]) -> np.ndarray:
        """Return the next states (*lead, S) from the values of a step."""
        new = {name: found[index] for name, index in self._graph.outputs.items() if name in self.parts}
        if OUTPUT in new:
            outputs = np.broadcast_to(new[OUTPUT], (*lead, self.network.outputs))
            rows = outputs.reshape(-1, self.network.outputs)
            new[OUTPUT] = self.network.loss_function.feed(rows, self.network.fed_back).reshape(outputs.shape)
        return self.join(new, lead)

    def _feed_derivative(self, outputs: np.ndarray, changes: np.ndarray) -> np.ndarray:
        """Return the changes (..., O) of what is fed back for changes of the outputs; its Jacobian is symmetric."""
        kind = self.network.fed_back
        if kind == "output":
            return changes
        derivative = getattr(
            importlib.import_module(self.network.loss_function.module), f"feed_{kind}_gradient"
        )
        shape = np.broadcast_shapes(outputs.shape, changes.shape)
        lanes = np.ascontiguousarray(np.broadcast_to(outputs, shape).reshape(-1, shape[-1]).T)
        result = np.array(np.broadcast_to(changes, shape).reshape(-1, shape[-1]).T)
        derivative(lanes, result)
        return result.T.reshape(shape)
