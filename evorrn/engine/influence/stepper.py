"""Single time steps with the derivatives of their outputs, for weights that change after every step.

All arrays are made once, so that a step takes little more time than its arithmetic.
"""

from __future__ import annotations

import numpy as np

from evorrn.engine.influence.groups import influence_of, zeros
from evorrn.engine.influence.rows import WantedRows
from evorrn.engine.influence.steps import READOUT, Steps
from evorrn.engine.influence.tables import Stack, Tables
from evorrn.engine.listing.walk import base
from evorrn.engine.model import Individuals
from evorrn.engine.packing import Tiling


class Stepper:
    """Sequences that run side by side, one step after the other, with the influence of all weights on their states.

    Parameters
    ----------
    steps : Steps
    individual : Individuals
        The weights (N,) before the first step, and the options.
    state : ndarray, shape (B, S)
        The state before the first step.
    teacher : bool
        Whether values are given in place of the last outputs.

    Notes
    -----
    Source: Robinson & Fallside 1987; Williams & Zipser 1989, equation 7. The influence is that of the weights that were used at
    each time step.
    """

    def __init__(self, steps: Steps, individual: Individuals, state: np.ndarray, teacher: bool) -> None:
        self._influence = influence_of(steps)
        directions, sequences = steps.pattern.directions, len(state)
        count, dtype = len(directions), steps.dtype
        tiling = Tiling.of(sequences * count, dtype, widest=4, at_least=1)
        genome = np.array(individual.genomes, dtype)
        arrays = {
            name: np.zeros((tiling.tiles, 1, rows, tiling.lanes), dtype)
            for name, rows in {
                **steps.result_rows,
                "x": steps.inputs,
                "teacher": steps.outputs,
                "weights": 1,
                "last_state": steps.state_size,
            }.items()
        }
        arrays["state"] = tiling.pack(np.repeat(state, count, axis=0)[:, None], dtype)
        arrays["directions"] = tiling.pack(np.tile(directions, (sequences, 1))[:, None], dtype)
        lengths = np.ones((tiling.tiles, tiling.lanes), np.int64)
        bases = {name: base(array, "q") for name, array in {**arrays, "lengths": lengths}.items()}
        spans = np.tile([1, 1, 0], (tiling.tiles, 1))
        weights = Individuals(genome, *individual[1:])
        listing = steps.bound(WantedRows(tiling.lanes, 0, teacher), weights, spans, bases)
        self._inputs = {"weights": genome, "x": np.zeros((sequences, steps.inputs), dtype)}
        self._inputs["teacher"] = np.zeros((sequences if teacher else 0, steps.outputs), dtype)
        self._outputs = np.zeros((sequences, steps.outputs), dtype)
        self._result = np.zeros((sequences, steps.outputs, steps.weights), dtype)
        common = {
            **{name: arrays[name] for name in ("old", "factors", "last_state", "state")},
            **{f"{name}_lanes": arrays[name] for name in ("x", "teacher", "outputs")},
            "x": self._inputs["x"],
            "teacher": self._inputs["teacher"],
            "kept": np.ones((sequences if teacher else 0, 1 if teacher else 0, steps.outputs), dtype),
            "genome": genome,
            "outputs": self._outputs,
            "by_state": np.zeros((steps.outputs, steps.state_size), dtype),
            "result": self._result,
            "lengths": np.ones(sequences, np.int64),
            "seen": steps.seen.astype(np.int64),
            "given": _given(steps),
            "starts": _starts(steps),
            **listing,
            "numbers": np.array([count, steps.slices[f"{READOUT}W"].start], np.int64),
        }
        stacks = [
            _own(sequences, steps, *pair) for pair in zip(self._influence.stacks, self._influence.tables)
        ]
        self._held = arrays, lengths, common, stacks, listing
        from evorrn.engine.influence import single

        self._table = single.bind(common, single.COMMON, dtype)
        bound = [single.bind(own, single.OWN, dtype) for own in stacks]
        self._stacks = np.array(bound, np.int64).reshape(len(stacks), len(single.OWN), 5)
        self._step = steps.timed(lambda: single.step_for(dtype.name))

    def step(
        self, weights: np.ndarray, x: np.ndarray, teacher: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take a time step, and return outputs (B, O) and their derivatives with respect to all weights (B, O, N).

        The next step overwrites the derivatives.

        Parameters
        ----------
        weights : ndarray, shape (N,)
        x : ndarray, shape (B, I)
        teacher : ndarray, shape (B, O), optional
            Values in place of the last outputs, NaN for the network's own.
        """
        inputs = self._inputs
        inputs["weights"][...] = weights
        inputs["x"][...] = x
        if teacher is not None:
            inputs["teacher"][...] = teacher
        self._step(self._table, self._stacks)
        return self._outputs.copy(), self._result


def _given(steps: Steps) -> np.ndarray:
    """Return what weights of the readout do at once: output, weight, and the factor, or -1 for 1."""
    found: list[np.ndarray] = []
    output = np.arange(steps.outputs)
    for term in steps.layout.terms:
        if not term.block.startswith(READOUT):
            continue
        first, source = steps.slices[term.block].start, term.source
        if source is None:
            found.append(np.stack([output, first + output, np.full(len(output), -1)], axis=1))
            continue
        rows, column = np.meshgrid(output, np.arange(source.rows), indexing="ij")
        own = rows * source.rows + column if term.first else column * steps.outputs + rows
        found.append(np.stack([rows, first + own, source.row + column], axis=2).reshape(-1, 3))
    return np.concatenate(found).astype(np.int64)


def _starts(steps: Steps) -> np.ndarray:
    """Return the weights that are first values of states, and these states."""
    pairs = [
        np.stack(
            [np.arange(steps.slices[name].start, steps.slices[name].stop), np.arange(place.start, place.stop)]
        )
        for name, place in steps.starts.items()
    ]
    return np.ascontiguousarray(np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1).T, np.int64)


def _own(sequences: int, steps: Steps, stack: Stack, table: Tables) -> dict[str, np.ndarray]:
    """Return the arrays of a stack of the influence, see `evorrn.engine.influence.single.OWN`."""
    dtype, folded = steps.dtype, table.folded
    numbers = [table.traced, table.rows, table.depth, table.lanes, table.jobs]
    nothing = np.zeros((0, 5), np.int32), np.zeros(0, np.int64), np.zeros((0, 0), dtype)
    first, *rest = table.moved
    second, third, singles, puts, put, masks = (
        (*rest, nothing[0], *nothing) if table.traced else (rest[0], rest[2], rest[1], *rest[3:])
    )
    sizes = {"jobs": table.numbers, "slopes": len(folded.coefficients), "sources": len(folded.sources)}
    jacobians, coefficients, sources = (np.empty((sequences, 1, size), dtype) for size in sizes.values())
    own = {
        "jacobians": jacobians,
        "coefficients": coefficients,
        "sources": sources,
        "influence": zeros((sequences, table.rows * table.lanes), dtype),
        "unused": np.empty((sequences, table.lanes), dtype),
        "loss": np.zeros((sequences, 1, *stack.rows.shape), dtype),
        "seen_rows": np.empty((steps.outputs, *stack.rows.shape), dtype),
        "found": np.empty((sequences, steps.outputs, table.lanes), dtype),
        "olds": folded.olds,
        "targets": folded.targets,
        "runs": folded.runs,
        "taught": folded.taught,
        "coefficient_table": folded.coefficients,
        "source_table": folded.sources,
        "parts": first,
        "second": second,
        "third": third,
        "singles": singles,
        "puts": puts,
        "put": put,
        "masks": masks,
        "lane_of": table.lane_of.ravel(),
        "weights": stack.weights.ravel(),
        "rows": stack.rows,
        "numbers": np.array(numbers, np.int64),
    }
    return {name: np.ascontiguousarray(array) for name, array in own.items()}
