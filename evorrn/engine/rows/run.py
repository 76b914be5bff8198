"""Forward along rows: the units of a layer are the vector axis, for few sequences or large layers.

Pairs of genome and sequence run side by side in groups. A recurrent matrix of mostly zeros is run through
its other entries.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.cache import load
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.model import Individuals, Model, Modules, Results
from evorrn.engine.packing import PackedRows, pack_rows, packed_rows_batch
from evorrn.engine.rows.emit import FORWARD, RowsEmitter
from evorrn.kernels import machine, threads

GROUP_BYTES, GROUP_MOST = 20 * 1024, 16
"""Pairs of genome and sequence run side by side while their weights together fit the fastest cache."""

SPARSE_UNITS, SPARSE_DENSITY = 64, 0.03
"""Units from which sparse kernels are tried, and the density below which they win, per byte of a number."""

SPARSE_ENTRY = 1.25
"""Cost of one entry of a sparse matrix, in multiply-adds of whole vectors."""

Blocks = frozenset[str]


class Rows:
    """The forward programs along rows: one for each choice of blocks that are run as sparse.

    Parameters
    ----------
    model : Model
    modules : Modules
    """

    def __init__(self, model: Model, modules: Modules) -> None:
        self._model = model
        self._modules = modules
        self._vector = machine.lanes(model.dtype)
        self._plain = model.form.step.plain
        self._may_be_sparse = (
            self._emitter(frozenset()).can_be_sparse(model.recurrent) if self._plain else frozenset()
        )

    def fit(self, sequences: int) -> bool:
        """Return whether units rather than sequences are the vector axis; decided by the cell and by sizes alone.

        Lanes cost whole vectors of sequences, rows whole vectors of units; rows also have the latency of
        the recurrence to hide, so that they must win clearly.
        """
        if not self._plain:
            return False
        units, vector = self._model.units, self._vector
        as_lanes = -(-sequences // vector) * sum(units)
        as_rows = sequences * sum(-(-size // vector) for size in units)
        return 2 * as_rows <= as_lanes

    def run(self, individual: Individuals, shown: Sequences, want: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what is wanted of one individual, (B, T, K), and its last state (B, S)."""
        packed = pack_rows(shown.x, shown.lengths, self._model.dtype)
        sparse = self.sparse_blocks(individual.genomes[0], len(shown.x))
        results = self._room(len(shown.x), want, shown.x.shape[1])
        self._call(self._module(sparse), individual, packed, shown.conditions, results, sparse)
        return getattr(results, want), results.last_state

    def losses(
        self, individuals: Individuals, batch: Batch, conditions: Conditions, sparse: Blocks
    ) -> np.ndarray:
        """Return the summed loss of every individual on every sequence, shape (P, B), float64."""
        packed = packed_rows_batch(batch, self._model.dtype)
        room = self._room(batch.size)
        return self._call(self._module(sparse), individuals, packed, conditions, room, sparse)

    def suit(self, genome: np.ndarray, sequences: int) -> bool:
        """Return whether one genome runs along rows: where `fit` says so, or for the sake of its zeros."""
        return self.fit(sequences) or bool(self.sparse_blocks(genome, sequences))

    def sparse_blocks(self, genome: np.ndarray, sequences: int) -> Blocks:
        """Return the blocks of a genome that are run through their entries that are not zero.

        Lanes multiply all entries by whole vectors of sequences, so many sequences run along rows only where
        zeros abound.
        """
        sparse = self._mostly_zero(genome)
        blocks = {name: self._size(name) for name in self._model.recurrent}
        as_lanes = -(-sequences // self._vector) * sum(blocks.values())
        as_rows = sequences * sum(
            SPARSE_ENTRY * sparse[name] if name in sparse else size / self._vector
            for name, size in blocks.items()
        )
        return frozenset(sparse) if self.fit(sequences) or as_rows <= as_lanes else frozenset()

    def saved_work(self, genome: np.ndarray) -> int:
        """Return the multiply-adds of a time step that zeros save, the same for every machine and batch."""
        return sum(self._size(name) - entries for name, entries in self._mostly_zero(genome).items())

    def _mostly_zero(self, genome: np.ndarray) -> dict[str, int]:
        """Return the entries that are not zero of those blocks that have few of them.

        Measured at a density of 0.1: slices of rows are 1.3 times faster than dense columns with 100 units in
        float32, twice in float64, more with more units; with 64 units in float32 they are equal.
        """
        if max(self._model.units) < SPARSE_UNITS:
            return {}
        entries = {name: np.count_nonzero(genome[self._model.slices[name]]) for name in self._may_be_sparse}
        most = SPARSE_DENSITY * self._model.dtype.itemsize
        return {name: int(count) for name, count in entries.items() if count <= most * self._size(name)}

    def _size(self, block: str) -> int:
        return self._model.slices[block].stop - self._model.slices[block].start

    def jobs(self, genome: np.ndarray, sequences: int) -> int:
        """Return among how many threads at most one genome's pass over some sequences is shared."""
        may_be_sparse = self._may_be_sparse and max(self._model.units) >= SPARSE_UNITS
        return -(-sequences // (1 if may_be_sparse else _group(genome)))

    def source(self, sparse: Blocks = frozenset()) -> str:
        """Return the emitted source of the program that runs these blocks as sparse; empty when there is no program."""
        if not self._plain:
            return ""
        return self._emitter(sparse).forward()

    def _call(
        self,
        module: ModuleType,
        individuals: Individuals,
        packed: PackedRows,
        conditions: Conditions,
        results: Results,
        sparse: Blocks,
    ) -> np.ndarray:
        """Fill the results, and return losses (P, B)."""
        group = 1 if sparse else _group(individuals.genomes[0])
        sequences, steps, _ = packed.x.shape
        pairs = len(individuals.genomes) * sequences
        losses = np.zeros((len(individuals.genomes), sequences))
        free, teacher = conditions.free_from, conditions.teacher
        threads.share(
            -(-pairs // group),
            module.forward,
            *FORWARD.ordered(
                group=min(group, pairs),
                **individuals._asdict(),
                **packed.arguments(),
                free_from_all=np.full(sequences, steps, np.int64) if free is None else free.astype(np.int64),
                teacher_all=self._no_teacher(sequences) if teacher is None else teacher,
                state_all=conditions.state,
                **results.arguments(),
                losses_all=losses,
            ),
        )
        return losses

    def _no_teacher(self, sequences: int) -> np.ndarray:
        return np.zeros((sequences, 0, self._model.outputs), self._model.dtype)

    def _room(self, sequences: int, want: str = "", steps: int = 0) -> Results:
        """Return room for what is wanted and for the last state, or for neither."""
        model = self._model
        outputs, hidden = (
            np.zeros((sequences, steps if want == name else 0, model.width(name)), model.dtype)
            for name in ("outputs", "hidden")
        )
        return Results(outputs, hidden, np.zeros((sequences, model.state_size if want else 0), model.dtype))

    def _module(self, sparse: Blocks) -> ModuleType:
        label = f"{self._model.label}_rows"
        return self._modules.get(
            ("rows", sparse),
            lambda: load(self.source(sparse), label),
            lambda module: self._warm_up(module, sparse),
        )

    def _warm_up(self, module: ModuleType, sparse: Blocks) -> None:
        packed = pack_rows(*self._model.one_step(), self._model.dtype)
        self._call(
            module,
            self._model.zero_individual(),
            packed,
            self._model.zero_conditions(),
            self._room(1),
            sparse,
        )

    def _emitter(self, sparse: Blocks) -> RowsEmitter:
        return RowsEmitter(self._model.form, self._vector, sparse=sparse)


def _group(genome: np.ndarray) -> int:
    """Return how many pairs of genome and sequence are run side by side."""
    return min(max(GROUP_BYTES // genome.nbytes, 1), GROUP_MOST)
