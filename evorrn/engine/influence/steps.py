"""Computes time steps of a network with their Jacobian matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from evorrn.compile.graph import Graph
from evorrn.compile.lifted import lifted
from evorrn.compile.op import count_of
from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.influence.jacobians import Results, Scored, StepJacobians
from evorrn.engine.influence.pattern import Pattern, find_pattern
from evorrn.engine.influence.rows import DerivativeRows, Layout, WantedRows, layout
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, pack

T = TypeVar("T")

READOUT = "readout."
"""Begins the names of the blocks of the readout."""


class Steps:
    """Computes time steps of a network with their derivatives.

    Parameters
    ----------
    model : Model
    modules : Modules
    inputs : bool
        Whether derivatives with respect to the input are computed, too.

    Attributes
    ----------
    influences : dict
        See `evorrn.engine.influence.groups.influence_of`.
    """

    def __init__(self, model: Model, modules: Modules, inputs: bool = False) -> None:
        self._model, self._by_input = model, inputs
        self._modules = modules
        self.influences: dict[tuple[int | None, bool], Any] = {}
        self._listings = Listings(model, modules, DerivativeRows)

    @cached_property
    def lifted(self) -> Step:
        """The time step whose products of weights and old states are apart, see `evorrn.compile.lifted`."""
        return lifted(self._model.form.step)

    @cached_property
    def _structure(self) -> tuple[Layout, Pattern]:
        found, derivative, first = layout(self.lifted, self._model, self._by_input)
        return found, find_pattern(self.lifted, self._model, derivative, found, first)

    @property
    def layout(self) -> Layout:
        """How factors are laid out."""
        return self._structure[0]

    @property
    def pattern(self) -> Pattern:
        """Which entries of the derivatives can differ from zero."""
        return self._structure[1]

    @property
    def state_size(self) -> int:
        """The numbers in the state of a sequence, S."""
        return self._model.state_size

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return self._model.sizes["I"]

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        return self._model.outputs

    @property
    def result_rows(self) -> dict[str, int]:
        """The rows of each result of a time step."""
        return {
            "outputs": self.outputs,
            "errors": self.outputs,
            "old": self.state_size,
            "factors": self.layout.rows,
            "inputs": self.pattern.inputs.shape[1],
        }

    @property
    def dtype(self) -> np.dtype:
        """That of the network."""
        return self._model.dtype

    def timed(self, work: Callable[[], T]) -> T:
        """Return what a function returns, whose time counts as that of compiling."""
        return self._modules.timed(work)

    def readout(self, genome: np.ndarray) -> np.ndarray:
        """Return the weights of the readout, shape (O, R), from all weights (N,)."""
        return genome[self.slices[f"{READOUT}W"]].reshape(self._model.outputs, -1)

    @property
    def weights(self) -> int:
        """The number of all weights, N."""
        return self._model.weights_size

    @property
    def slices(self) -> dict[str, slice]:
        """The places of each block among all weights."""
        return self._model.slices

    @cached_property
    def places(self) -> dict[str, slice]:
        """The entries of each named state in the state."""
        found, start = {}, 0
        for name, shape in self._model.form.step.states.items():
            stop = start + count_of(shape, self._model.sizes)
            found[name] = slice(start, stop)
            start = stop
        return found

    @cached_property
    def output_places(self) -> slice:
        """The entries of the state that are the last outputs; none where the step does not read these."""
        return self.places.get(OUTPUT, slice(self.state_size, self.state_size))

    @cached_property
    def seen(self) -> np.ndarray:
        """The entries of the state that the readout sees, in its order, shape (R,)."""
        step = self._model.form.step
        graph = step.graph
        states = {_same(graph, graph.outputs[name]): place for name, place in self.places.items()}

        def entries(index: int) -> list[int]:
            node = graph.nodes[index]
            if index in states:
                return list(range(states[index].start, states[index].stop))
            return [entry for operand in node.operands for entry in entries(_same(graph, operand))]

        return np.array(entries(_same(graph, graph.outputs[step.hidden])))

    @cached_property
    def starts(self) -> dict[str, slice]:
        """The entries of the state whose first values are a block of weights, by its name."""
        graph, found = self._model.form.step.graph, {}
        for name, place in self.places.items():
            node = graph.nodes[graph.outputs[name]]
            if _same(graph, graph.outputs[name]) != graph.outputs[name] and node.op == "subtract":
                found[graph.nodes[node.operands[1]].name] = place
        return found

    @cached_property
    def own(self) -> np.ndarray:
        """Whether a new state depends on an old one of its layer besides through products of weights, shape (S, S)."""
        layers = np.concatenate(
            [np.full(place.stop - place.start, name.split(".")[0]) for name, place in self.places.items()]
        )
        return self.pattern.old & (layers[:, None] == layers)

    @property
    def numbers(self) -> int:
        """The numbers that the derivatives of a time step take."""
        size = self._model.state_size
        return (size + 2) * (size + self.layout.rows)

    @cached_property
    def works(self) -> tuple[int, int, int]:
        """The multiply-adds of a time step, of its adjoint in one direction, and of derivatives through products."""
        _, derivative, first = layout(self.lifted, self._model, self._by_input)
        graph, count = derivative.graph, len(self.lifted.graph.nodes)
        forward = graph.cost(self._model.sizes, graph.reachable(self.lifted.graph.outputs.values()))
        wanted = [*graph.outputs.values(), *first]
        backward = graph.cost(self._model.sizes, graph.reachable(wanted, range(count)))
        through = 0
        for term in self.layout.terms:
            if term.state and term.source is not None:
                entries = self.pattern.factors[:, term.slope.places].sum()
                through += int(entries) * term.source.rows
        return forward, backward, through

    @cached_property
    def work(self) -> int:
        """The multiply-adds of the derivatives of a time step of one sequence, with those of its loss."""
        forward, backward, through = self.works
        return forward + len(self.pattern.directions) * backward + through

    def along(self, individual: Individuals, shown: Sequences, loss: Scored | None = None) -> StepJacobians:
        """Return the derivatives of the time steps along sequences, and of the loss of each step."""
        model, directions = self._model, self.pattern.directions
        count = len(directions)
        tiling = Tiling.of(len(shown.x) * count, model.dtype, widest=4, at_least=1)
        truth = None if loss is None else (_each(loss.targets, count), _each(loss.mask, count))
        inputs, lengths = _each(shown.x, count), _each(shown.lengths, count)
        packed = pack(tiling, inputs, lengths, model.dtype, *(truth or ()))
        losses = np.zeros((tiling.tiles, tiling.lanes))
        scales = np.array([1.0 if loss is None else loss.scale], model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        rows = 0 if loss is None else packed.targets.shape[2]
        found = self._run(individual, packed, shown.conditions, bases, rows)
        total = float(losses.reshape(-1)[: tiling.sequences : count].sum())
        teacher, kept = shown.conditions.teacher, None
        if teacher is not None and OUTPUT in self.places:
            kept = np.isnan(teacher).astype(model.dtype)
        feedback = None if loss is None else loss.feedback
        return StepJacobians(self, (individual.genomes, shown.x), found, total, kept, feedback)

    def products(
        self, slopes: np.ndarray, sources: np.ndarray, alone: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Return the derivatives (..., N) with respect to all weights from factors (..., R).

        `alone` (..., 1) is the source of weights without one.
        """
        lead = slopes.shape[:-1]
        whole = np.zeros((*lead, self.weights), slopes.dtype)
        for term in self.layout.terms:
            part = slopes[..., term.slope.places]
            if term.source is None:
                whole[..., self.slices[term.block]] += part * alone
                continue
            pair = part[..., :, None], sources[..., None, term.source.places]
            if not term.first:
                pair = pair[1].swapaxes(-1, -2), pair[0].swapaxes(-1, -2)
            whole[..., self.slices[term.block]] += (pair[0] * pair[1]).reshape(*lead, -1)
        return whole

    def summed(self, slopes: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Return the derivatives (B, K, N) with respect to all weights, summed over time steps.

        `slopes` has shape (B, T, K, R) and `sources` (B, T, R).
        """
        sequences, _, rows, _ = slopes.shape
        whole = np.zeros((sequences, rows, self.weights), slopes.dtype)
        for term in self.layout.terms:
            part = np.moveaxis(slopes[..., term.slope.places], 1, 3)  # (B, K, rows, T)
            if term.source is None:
                found = part.sum(axis=3)
            else:
                found = part @ sources[:, None, :, term.source.places]
                found = found if term.first else found.swapaxes(2, 3)
            whole[..., self.slices[term.block]] += found.reshape(sequences, rows, -1)
        return whole

    def of_outputs(self, found: StepJacobians, time: int, readout: np.ndarray) -> np.ndarray:
        """Return the derivative (B, O, N) of the outputs of a time step with respect to all weights, its new state constant.

        `readout` (O, S) holds the weights of each entry of the state.
        """
        outputs = len(readout)
        slopes = np.zeros((len(found.outputs), outputs, self.layout.rows), found.state.dtype)
        for term in self.layout.terms:
            if term.block.startswith(READOUT):
                slopes[..., term.slope.places] = np.eye(outputs)
        whole = self.products(slopes, found.sources[:, time, None])
        for block, place in self.starts.items():  # the readout sees a state with its first value
            whole[..., self.slices[block]] += readout[:, place]
        return whole

    def of_readout(self, found: StepJacobians) -> np.ndarray:
        """Return the derivative (N,) of the loss of all steps with respect to all weights, states being constant."""
        whole = np.zeros(self.weights)
        errors = found.errors.astype(np.float64).reshape(-1, self._model.outputs)
        for term in self.layout.terms:
            if not term.block.startswith(READOUT):
                continue
            part = errors.sum(axis=0)
            if term.source is not None:
                sources = found.source(term.source.places).reshape(len(errors), -1)
                part = errors.T @ sources if term.first else sources.T @ errors
            whole[self.slices[term.block]] += part.ravel()
        for block, place in self.starts.items():  # the readout sees a state with its first value
            whole[self.slices[block]] += found.loss_state[..., place].sum(axis=(0, 1))
        return whole

    def of_weights(self, found: StepJacobians, time: int) -> np.ndarray:
        """Return the derivative (B, S, N) of the new state with respect to all weights at one time step."""
        return self.products(found.slopes[:, time], found.sources[:, time, None])

    def bound(
        self, wanted: WantedRows, individual: Individuals, spans: np.ndarray, bases: dict[str, Base]
    ) -> dict[str, np.ndarray]:
        """Return the arrays by which time steps are computed always on the same arrays, for `Stepper`."""
        return self._listings.bound(wanted, individual, spans, bases)

    def _run(
        self,
        individual: Individuals,
        packed: Packed,
        conditions: Conditions,
        bases: dict[str, Base],
        target_rows: int,
    ) -> Results:
        model, tiling, steps = self._model, packed.tiling, packed.x.shape[1]
        directions, dtype = self.pattern.directions, model.dtype
        count, sequences = len(directions), tiling.sequences // len(directions)
        seeds = tiling.pack(np.tile(directions, (sequences, 1))[:, None], dtype)
        results = {
            name: np.zeros((tiling.tiles, steps, size, tiling.lanes), dtype)
            for name, size in self.result_rows.items()
        }
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), dtype)
        bases |= {name: base(array, "q") for name, array in results.items()}
        bases |= {"directions": base(seeds, "q"), "last_state": base(last, "q")}
        teacher = None if conditions.teacher is None else _each(conditions.teacher, count)
        repeated = Conditions(_each(conditions.state, count), teacher)
        wanted = WantedRows(tiling.lanes, target_rows, teacher is not None, self._by_input)
        self._listings.run(wanted, Task(individual, packed, repeated, packed.span), bases)
        ends = tiling.unpack(last[:, None])[::count, 0]
        outputs, errors = (tiling.unpack(results[name])[::count] for name in ("outputs", "errors"))
        old, factors, by_input = (results[name] for name in ("old", "factors", "inputs"))
        return Results(outputs, errors, ends, old, factors, by_input, tiling)


def _same(graph: Graph, index: int) -> int:
    """Return the node of which another is a copy: itself, or the same less what a state begins with."""
    node = graph.nodes[index]
    copied = node.op in ("identity", "flatten")
    if node.op == "subtract":
        start = graph.nodes[node.operands[1]]
        copied = start.op == "parameter" and ".start." in start.name
    return _same(graph, node.operands[0]) if copied else index


def _each(array: np.ndarray, count: int) -> np.ndarray:
    """Return each entry of the first axis `count` times."""
    return np.repeat(array, count, axis=0)
