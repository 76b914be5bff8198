"""The compiled programs of a network: loaded when first needed, called with packed data."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.batch import Batch
from evorrn.compile.lanes import BLOCK, Buffer
from evorrn.compile.lanes_gradient import GradientEmitter
from evorrn.compile.load import load
from evorrn.compile.rows import RowsEmitter
from evorrn.kernels import machine, threads
from evorrn.kernels.losses import LOSSES
from evorrn.packing import (
    Packed,
    PackedRows,
    Tiling,
    free_steps,
    pack,
    pack_rows,
    packed_batch,
    packed_rows_batch,
)

if TYPE_CHECKING:
    from evorrn.network import Network

GROUP_BYTES, GROUP_MOST = 20 * 1024, 16
"""Pairs of genome and sequence run side by side while their weights together fit the fastest cache."""

SPARSE_UNITS, SPARSE_DENSITY = 64, 0.03
"""Units from which sparse kernels are tried, and the density below which they win, per byte of a number."""

TAPE_BYTES = 256 * 2**20
"""Memory that the tapes of one tile may take before long sequences are cut into segments."""


class Programs:
    """What runs a network; private to `Network`."""

    def __init__(self, network: Network) -> None:
        self.dtype = network.dtype
        self.outputs = network.outputs
        self.state_size = network.state_size
        self.hidden = network.hidden[-1]
        self.units = network.hidden
        self.options = network.step.options
        self.compile_seconds = 0.0
        self._loss = LOSSES.get(network.loss_name, "mse")  # programs without targets use none
        self._label = network.cell.name.replace("-", "_")
        kind = "direct " * network.direct + "feedback " * network.feedback
        title = (
            f"{kind}{network.cell.name} x {len(network.hidden)}, {network.loss_name}, {network.dtype.name}"
        )
        self._emitter = GradientEmitter(network.step, title, network.dtype.name, self._loss)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in network.blocks.values())])
        self._rows = (network.step, title, network.dtype.name, self._loss, machine.lanes(network.dtype))
        recurrent = [
            f"layer{k}.{name}" for k in range(len(network.hidden)) for name in network.cell.recurrent
        ]
        matrices = tuple(name for name in recurrent if len(network.blocks[name]) == 2)
        self._may_be_sparse = RowsEmitter(*self._rows).can_be_sparse(matrices)
        self._blocks = {
            name: slice(int(start), int(stop))
            for name, start, stop in zip(network.blocks, ends[:-1], ends[1:])
        }
        self._sizes = np.array([network.sizes[name] for name in network.step.dimensions], np.int64)
        self._offsets = ends.astype(np.int64)
        self._rows_of = network.sizes
        self._modules: dict[str, ModuleType] = {}

    def source(self) -> str:
        """Return the emitted source of all programs, one after the other."""
        return "\n\n".join(
            (self._emitter.forward(), self._emitter.gradient(), RowsEmitter(*self._rows).forward())
        )

    def run(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        x: np.ndarray,
        lengths: np.ndarray,
        *,
        state: np.ndarray,
        free_from: np.ndarray | None,
        teacher: np.ndarray | None,
        want: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs or hidden states (B, T, K) of one genome, and the last state (B, S)."""
        width = {"outputs": self.outputs, "hidden": self.hidden}[want]
        if self._along_rows(len(x)):
            packed_rows = pack_rows(x, lengths, self.dtype)
            values = np.zeros((*x.shape[:2], width), self.dtype)
            nothing = np.zeros((len(x), 0, width), self.dtype)
            ends = np.zeros((len(x), self.state_size), self.dtype)
            self._call_rows(
                genome[None],
                numbers,
                packed_rows,
                free_from,
                teacher,
                state,
                self.sparse_blocks(genome, len(x)),
                outputs=values if want == "outputs" else nothing,
                hidden=values if want == "hidden" else nothing,
                last_state=ends,
            )
        else:
            tiling = self._forward_tiling(len(x))
            result = np.zeros((tiling.tiles, x.shape[1], width, tiling.lanes), self.dtype)
            nothing = np.zeros((tiling.tiles, 0, width, tiling.lanes), self.dtype)
            last = np.zeros((tiling.tiles, self.state_size, tiling.lanes), self.dtype)
            self._call_forward(
                genome[None],
                numbers,
                pack(tiling, x, lengths, self.dtype),
                free_from,
                teacher,
                state,
                outputs=result if want == "outputs" else nothing,
                hidden=result if want == "hidden" else nothing,
                last_state=last,
            )
            values = tiling.unpack(result)
            ends = tiling.unpack(last[:, None])[:, 0]
        values[np.arange(x.shape[1])[None, :] >= lengths[:, None]] = 0
        return values, ends

    def hidden_states(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        x: np.ndarray,
        lengths: np.ndarray,
        state: np.ndarray,
        teacher: np.ndarray | None,
    ) -> np.ndarray:
        """Return the hidden states (P, B, T, H) of every genome.

        Genomes share the threads where a single one would leave all but one of them idle.
        """
        states = np.empty((len(genomes), *x.shape[:2], self.hidden), self.dtype)

        def one(index: int) -> None:
            states[index], _ = self.run(
                genomes[index],
                numbers,
                x,
                lengths,
                state=state,
                free_from=None,
                teacher=teacher,
                want="hidden",
            )

        one(0)  # compiles, where that has not been done yet
        rest = [functools.partial(one, index) for index in range(1, len(genomes))]
        if self._jobs(genomes[0], len(x)) == 1:
            threads.together(rest)
        else:
            for task in rest:
                task()
        return states

    def loss_sums(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        batch: Batch,
        free_from: np.ndarray | None,
        sparse: bool,
    ) -> np.ndarray:
        """Return the summed loss of every genome on every sequence, shape (P, B), float64.

        With `sparse` one genome alone may be run through its entries that are not zero, which adds in
        another order than a population does.
        """
        state = np.zeros((batch.size, self.state_size), self.dtype)
        if self._along_rows(batch.size):
            empty = np.zeros((batch.size, 0, self.outputs), self.dtype)
            rows = packed_rows_batch(batch, self.dtype)
            ends = np.zeros((batch.size, 0), self.dtype)
            return self._call_rows(
                genomes,
                numbers,
                rows,
                free_from,
                None,
                state,
                self.sparse_blocks(genomes[0], batch.size) if sparse else frozenset(),
                outputs=empty,
                hidden=empty,
                last_state=ends,
            )
        tiling = self._forward_tiling(batch.size)
        packed = packed_batch(batch, tiling, self.dtype)
        nothing = np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        last = np.zeros((tiling.tiles, 0, tiling.lanes), self.dtype)
        losses = self._call_forward(
            genomes, numbers, packed, free_from, None, state, outputs=nothing, hidden=nothing, last_state=last
        )
        return losses.reshape(len(genomes), -1)[:, : batch.size]

    def gradient(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        batch: Batch,
        state: np.ndarray,
        teacher: np.ndarray | None,
        scale: float,
    ) -> tuple[float, np.ndarray]:
        """Return the summed loss and the gradient of ``scale`` times it."""
        tiling = self._gradient_tiling(batch.size)
        packed = packed_batch(batch, tiling, self.dtype)
        nothing = np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        losses, gradient = self._call_gradient(genome, numbers, packed, state, teacher, nothing, scale)
        return float(losses.reshape(-1)[: batch.size].sum()), gradient

    def vjp(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        x: np.ndarray,
        lengths: np.ndarray,
        output_gradient: np.ndarray,
        state: np.ndarray,
        teacher: np.ndarray | None,
    ) -> np.ndarray:
        """Return the gradient of a function of the outputs from its gradient there."""
        tiling = self._gradient_tiling(len(x))
        packed = pack(tiling, x, lengths, self.dtype)
        inside = np.arange(x.shape[1])[None, :] < lengths[:, None]
        given = tiling.pack(np.where(inside[:, :, None], output_gradient, 0), self.dtype)
        return self._call_gradient(genome, numbers, packed, state, teacher, given, 1.0)[1]

    def sparse_blocks(self, genome: np.ndarray, sequences: int) -> frozenset[str]:
        """Return the blocks of a genome that are run through their entries that are not zero.

        Measured at a density of 0.1: slices of rows are 1.3 times faster than dense columns with 100 units in
        float32, twice in float64, more with more units; with 64 units in float32 they are equal.
        """
        if max(self.units) < SPARSE_UNITS or not self._along_rows(sequences):
            return frozenset()
        most = SPARSE_DENSITY * self.dtype.itemsize
        return frozenset(
            name
            for name in self._may_be_sparse
            if np.count_nonzero(genome[self._blocks[name]])
            <= most * (self._blocks[name].stop - self._blocks[name].start)
        )

    def saved_work(self, genome: np.ndarray, sequences: int) -> int:
        """Return the multiply-adds of a time step that sparse blocks save."""
        return sum(
            int(
                self._blocks[name].stop
                - self._blocks[name].start
                - np.count_nonzero(genome[self._blocks[name]])
            )
            for name in self.sparse_blocks(genome, sequences)
        )

    def _along_rows(self, sequences: int) -> bool:
        """Return whether units rather than sequences are the vector axis; decided by sizes alone.

        Lanes cost whole vectors of sequences, rows whole vectors of units; rows also have the latency of
        the recurrence to hide, so that they must win clearly.
        """
        vector = machine.lanes(self.dtype)
        as_lanes = -(-sequences // vector) * sum(self.units)
        as_rows = sequences * sum(-(-units // vector) for units in self.units)
        return 2 * as_rows <= as_lanes

    def _jobs(self, genome: np.ndarray, sequences: int) -> int:
        """Return among how many threads at most one genome's pass over some sequences is shared."""
        if self._along_rows(sequences):
            may_be_sparse = self._may_be_sparse and max(self.units) >= SPARSE_UNITS
            return -(-sequences // (1 if may_be_sparse else self._group(genome)))
        return self._forward_tiling(sequences).tiles

    @staticmethod
    def _group(genome: np.ndarray) -> int:
        """Return how many pairs of genome and sequence are run side by side."""
        return min(max(GROUP_BYTES // genome.nbytes, 1), GROUP_MOST)

    def _call_rows(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        packed: PackedRows,
        free_from: np.ndarray | None,
        teacher: np.ndarray | None,
        state: np.ndarray,
        sparse: frozenset[str],
        *,
        outputs: np.ndarray,
        hidden: np.ndarray,
        last_state: np.ndarray,
    ) -> np.ndarray:
        program = self._module("rows", sparse).forward
        group = 1 if sparse else self._group(genomes[0])
        sequences, steps, _ = packed.x.shape
        pairs = len(genomes) * sequences
        losses = np.zeros((len(genomes), sequences))
        free = np.full(sequences, steps, np.int64) if free_from is None else free_from.astype(np.int64)
        no_teacher = np.zeros((sequences, 0, self.outputs), self.dtype)
        threads.share(
            -(-pairs // group),
            program,
            min(group, pairs),
            genomes,
            self._options(numbers),
            self._sizes,
            self._offsets,
            packed.x,
            packed.targets,
            packed.weights,
            packed.lengths,
            free,
            no_teacher if teacher is None else teacher,
            state,
            outputs,
            hidden,
            last_state,
            losses,
        )
        return losses

    def _forward_tiling(self, sequences: int) -> Tiling:
        return Tiling.of(sequences, self.dtype, widest=4, at_least=1)

    def _gradient_tiling(self, sequences: int) -> Tiling:
        return Tiling.of(sequences, self.dtype, widest=2, at_least=2)

    def _call_forward(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        packed: Packed,
        free_from: np.ndarray | None,
        teacher: np.ndarray | None,
        state: np.ndarray,
        *,
        outputs: np.ndarray,
        hidden: np.ndarray,
        last_state: np.ndarray,
    ) -> np.ndarray:
        program = self._module("forward").forward
        tiling = packed.tiling
        free, span = free_steps(tiling, packed, free_from)
        losses = np.zeros((len(genomes), tiling.tiles, tiling.lanes))
        places = self._places(self._emitter.forward_buffers, tiling.lanes, {"2": 2})
        threads.share(
            len(genomes) * tiling.tiles,
            self._with_scratch(program, places),
            genomes,
            self._options(numbers),
            self._sizes,
            self._offsets,
            packed.x,
            packed.targets,
            packed.weights,
            packed.lengths,
            span,
            free,
            self._pack_teacher(tiling, teacher),
            tiling.pack(state[:, None], self.dtype)[:, 0],
            outputs,
            hidden,
            last_state,
            losses,
        )
        return losses

    def _call_gradient(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        packed: Packed,
        state: np.ndarray,
        teacher: np.ndarray | None,
        output_gradient: np.ndarray,
        scale: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        program = self._module("gradient").gradient
        tiling = packed.tiling
        buffers = self._emitter.gradient_buffers
        rows_a_step = sum(self._rows_of[b.dimension] for b in buffers if b.steps.startswith("segment"))
        bytes_a_step = rows_a_step * tiling.lanes * self.dtype.itemsize
        segment = max(BLOCK, TAPE_BYTES // bytes_a_step // BLOCK * BLOCK)
        segment = max(1, min(segment, packed.x.shape[1]))
        counts = {"2": 2, "BLOCK": BLOCK, "segment": segment, "segment + 1": segment + 1}
        counts["count"] = -(-packed.x.shape[1] // segment)
        places = self._places(buffers, tiling.lanes, counts)
        gradients = np.zeros((tiling.tiles, genome.size), self.dtype)
        last = np.zeros((tiling.tiles, 0, tiling.lanes), self.dtype)
        losses = np.zeros((tiling.tiles, tiling.lanes))
        threads.share(
            tiling.tiles,
            self._with_scratch(program, places),
            genome,
            self._options(numbers),
            self._sizes,
            self._offsets,
            packed.x,
            packed.targets,
            packed.weights,
            packed.lengths,
            packed.span,
            self._pack_teacher(tiling, teacher),
            tiling.pack(state[:, None], self.dtype)[:, 0],
            output_gradient,
            np.ones((BLOCK, 1, tiling.lanes), self.dtype),
            self.dtype.type(scale),
            segment,
            gradients,
            last,
            losses,
        )
        return losses, gradients.sum(axis=0, dtype=np.float64).astype(self.dtype)

    def _places(self, buffers: Sequence[Buffer], lanes: int, counts: Mapping[str, int]) -> np.ndarray:
        """Return where each buffer of a program begins in its memory, and the end, in numbers."""
        sizes = [counts.get(b.steps, 1) * self._rows_of[b.dimension] * lanes for b in buffers]
        return np.cumsum([0, *sizes], dtype=np.int64)

    def _with_scratch(self, program: Callable[..., None], places: np.ndarray) -> Callable[..., None]:
        """Return a program with the memory of its buffers, which each thread keeps from call to call."""

        def run(first: int, last: int, *arguments: Any) -> None:
            program(first, last, threads.scratch(int(places[-1]), self.dtype), places, *arguments)

        return run

    def _pack_teacher(self, tiling: Tiling, teacher: np.ndarray | None) -> np.ndarray:
        if teacher is None:
            return np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        return tiling.pack(teacher, self.dtype)

    def _options(self, numbers: Mapping[str, float]) -> np.ndarray:
        """Return numeric options in the order of the program, at least one entry."""
        values = [numbers[name.split(".", 1)[1]] for name in self.options]
        return np.array(values or [0.0], self.dtype)

    def _module(self, kind: str, sparse: frozenset[str] = frozenset()) -> ModuleType:
        """Return the module of a program, and count the time of making it ready as compiling."""
        kind = " ".join((kind, *sorted(sparse)))
        if kind not in self._modules:
            started = time.perf_counter()
            if kind.startswith("rows"):
                source = RowsEmitter(*self._rows, sparse=sparse).forward()
            else:
                source = getattr(self._emitter, kind)()
            self._modules[kind] = load(source, f"{self._label}_{kind.split()[0]}")
            self._warm_up(kind)
            self.compile_seconds += time.perf_counter() - started
        return self._modules[kind]

    def _warm_up(self, kind: str) -> None:
        """Call a program on one empty time step, so that compiling is not timed as running."""
        genome = np.zeros(int(self._offsets[-1]), self.dtype)
        numbers = dict.fromkeys((name.split(".", 1)[1] for name in self.options), 1.0)
        if kind.startswith("rows"):
            rows = pack_rows(np.zeros((1, 1, int(self._sizes[0]))), np.ones(1, np.int64), self.dtype)
            empty, start = (
                np.zeros((1, 0, self.outputs), self.dtype),
                np.zeros((1, self.state_size), self.dtype),
            )
            ends = np.zeros((1, 0), self.dtype)
            sparse = frozenset(kind.split()[1:])
            self._call_rows(
                genome[None],
                numbers,
                rows,
                None,
                None,
                start,
                sparse,
                outputs=empty,
                hidden=empty,
                last_state=ends,
            )
            return
        tiling = self._forward_tiling(1) if kind == "forward" else self._gradient_tiling(1)
        packed = pack(tiling, np.zeros((1, 1, int(self._sizes[0]))), np.ones(1, np.int64), self.dtype)
        state = np.zeros((1, self.state_size), self.dtype)
        nothing: Any = np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        last = np.zeros((tiling.tiles, 0, tiling.lanes), self.dtype)
        if kind == "forward":
            self._call_forward(
                genome[None],
                numbers,
                packed,
                None,
                None,
                state,
                outputs=nothing,
                hidden=nothing,
                last_state=last,
            )
        else:
            self._call_gradient(genome, numbers, packed, state, None, nothing, 1.0)
