"""The compiled programs of a network: loaded when first needed, called with packed data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.batch import Batch
from evorrn.compile.lanes import BLOCK, LanesEmitter
from evorrn.compile.load import load
from evorrn.kernels import threads
from evorrn.kernels.losses import LOSSES
from evorrn.packing import Packed, Tiling, free_steps, pack, packed_batch

if TYPE_CHECKING:
    from evorrn.network import Network

TAPE_BYTES = 256 * 2**20
"""Memory that the tapes of one tile may take before long sequences are cut into segments."""


class Programs:
    """What runs a network; private to `Network`."""

    def __init__(self, network: Network) -> None:
        self.dtype = network.dtype
        self.outputs = network.outputs
        self.state_size = network.state_size
        self.hidden = network.hidden[-1]
        self.options = network.step.options
        self.compile_seconds = 0.0
        self._loss = LOSSES[network.loss_name]
        self._label = network.cell.name.replace("-", "_")
        kind = "direct " * network.direct + "feedback " * network.feedback
        title = f"{kind}{network.cell.name} x {len(network.hidden)}, {network.loss_name}, {network.dtype.name}"
        self._emitter = LanesEmitter(network.step, title, network.dtype.name, self._loss)
        self._sizes = np.array([network.sizes[name] for name in network.step.dimensions], np.int64)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in network.blocks.values())])
        self._offsets = ends.astype(np.int64)
        self._tape_row = sum(network.sizes[name] for name in self._emitter.tape_rows())
        self._modules: dict[str, ModuleType] = {}

    def source(self) -> str:
        """Return the emitted source, forward program and gradient program."""
        return f"{self._emitter.forward()}\n\n{self._emitter.gradient()}"

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
        tiling = self._forward_tiling(len(x))
        packed = pack(tiling, x, lengths, self.dtype)
        steps = x.shape[1]
        width = {"outputs": self.outputs, "hidden": self.hidden}[want]
        result = np.zeros((tiling.tiles, steps, width, tiling.lanes), self.dtype)
        nothing = np.zeros((tiling.tiles, 0, width, tiling.lanes), self.dtype)
        last = np.zeros((tiling.tiles, self.state_size, tiling.lanes), self.dtype)
        self._call_forward(
            genome[None],
            numbers,
            packed,
            free_from,
            teacher,
            state,
            outputs=result if want == "outputs" else nothing,
            hidden=result if want == "hidden" else nothing,
            last_state=last,
        )
        values = tiling.unpack(result)
        values[np.arange(steps)[None, :] >= lengths[:, None]] = 0
        return values, tiling.unpack(last[:, None])[:, 0]

    def loss_sums(
        self, genomes: np.ndarray, numbers: Mapping[str, float], batch: Batch, free_from: np.ndarray | None
    ) -> np.ndarray:
        """Return the summed loss of every genome on every sequence, shape (P, B), float64."""
        tiling = self._forward_tiling(batch.size)
        packed = packed_batch(batch, tiling, self.dtype)
        nothing = np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        state = np.zeros((batch.size, self.state_size), self.dtype)
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
        threads.share(
            len(genomes) * tiling.tiles,
            program,
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
        bytes_a_step = self._tape_row * tiling.lanes * self.dtype.itemsize
        segment = max(BLOCK, TAPE_BYTES // bytes_a_step // BLOCK * BLOCK)
        gradients = np.zeros((tiling.tiles, genome.size), self.dtype)
        last = np.zeros((tiling.tiles, 0, tiling.lanes), self.dtype)
        losses = np.zeros((tiling.tiles, tiling.lanes))
        threads.share(
            tiling.tiles,
            program,
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
            self.dtype.type(scale),
            segment,
            gradients,
            last,
            losses,
        )
        return losses, gradients.sum(axis=0, dtype=np.float64).astype(self.dtype)

    def _pack_teacher(self, tiling: Tiling, teacher: np.ndarray | None) -> np.ndarray:
        if teacher is None:
            return np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        return tiling.pack(teacher, self.dtype)

    def _options(self, numbers: Mapping[str, float]) -> np.ndarray:
        """Return numeric options in the order of the program, at least one entry."""
        values = [numbers[name.split(".", 1)[1]] for name in self.options]
        return np.array(values or [0.0], self.dtype)

    def _module(self, kind: str) -> ModuleType:
        """Return the module of a program, and count the time of making it ready as compiling."""
        if kind not in self._modules:
            started = time.perf_counter()
            source = getattr(self._emitter, kind)()
            self._modules[kind] = load(source, f"{self._label}_{kind}")
            self._warm_up(kind)
            self.compile_seconds += time.perf_counter() - started
        return self._modules[kind]

    def _warm_up(self, kind: str) -> None:
        """Call a program on one empty time step, so that compiling is not timed as running."""
        genome = np.zeros(int(self._offsets[-1]), self.dtype)
        numbers = dict.fromkeys((name.split(".", 1)[1] for name in self.options), 1.0)
        tiling = self._forward_tiling(1) if kind == "forward" else self._gradient_tiling(1)
        packed = pack(tiling, np.zeros((1, 1, int(self._sizes[0]))), np.ones(1, np.int64), self.dtype)
        state = np.zeros((1, self.state_size), self.dtype)
        nothing: Any = np.zeros((tiling.tiles, 0, self.outputs, tiling.lanes), self.dtype)
        last = np.zeros((tiling.tiles, 0, tiling.lanes), self.dtype)
        if kind == "forward":
            self._call_forward(
                genome[None], numbers, packed, None, None, state, outputs=nothing, hidden=nothing, last_state=last
            )
        else:
            self._call_gradient(genome, numbers, packed, state, None, nothing, 1.0)
