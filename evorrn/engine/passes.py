"""A pass: compiled layers with a direction, which run over packed sequences forward and backward.

Arrays are in the memory order of `evorrn.engine.packing`: (Q, T, K, L) for Q tiles of L sequences, or (P, Q, T, K, L) for
P genomes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.engine.inputs import Conditions
from evorrn.engine.lanes.backward import RECORD, RETURN, STARTS, TAPE, GradientRows, WantedGradient
from evorrn.engine.lanes.forward import ForwardRows, Wanted
from evorrn.engine.lanes.gradient import segment_of
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Form, Individuals, Model, Modules, Settings
from evorrn.engine.packing import Packed, free_steps, room_for_series
from evorrn.kernels.memory import room
from evorrn.kernels.threads import Later, Work, share

KEPT_BYTES = 512 * 2**20
"""The largest memory of a tape that is kept from the forward to the backward half; a larger one is computed again."""


class Seen(NamedTuple):
    """What a pass runs on.

    Attributes
    ----------
    packed : Packed
        Lengths, and targets where there is a loss.
    x : ndarray, shape (Q, T, I, L) or (P, Q, T, I, L)
    state : ndarray, shape (Q, S, L) or (P, Q, S, L)
        The state before the first time step that it takes.
    """

    packed: Packed
    x: np.ndarray
    state: np.ndarray


class Recorded(NamedTuple):
    """What the forward half of a gradient leaves: the last states (Q, S, L), and the tape if it is kept."""

    last: np.ndarray
    tape: np.ndarray | None


class Back(NamedTuple):
    """What a pass gives back: the gradients of its genes, its inputs and its first state.

    Attributes
    ----------
    genes : ndarray, shape (n,)
    x : ndarray, shape (Q, T, I, L), or None when it is not wanted
    state : ndarray, shape (Q, S, L)
    """

    genes: np.ndarray
    x: np.ndarray | None
    state: np.ndarray


class Pass:
    """Some layers of a network, in one direction.

    Parameters
    ----------
    form : Form
    modules : Modules
    first, room : int
        Its series are the rows from `first` on of an array of `room` rows; by default an array of their own.
    inputs : bool
        Whether the gradient with respect to its inputs is wanted.
    """

    def __init__(
        self, form: Form, modules: Modules, *, first: int = 0, room: int = 0, inputs: bool = True
    ) -> None:
        self.model = Model(form)
        self._rows = slice(first, first + self.model.outputs)
        self.room = room or self.model.outputs
        self._inputs = inputs
        self._forward = Listings(self.model, modules, ForwardRows)
        self._gradient = Listings(self.model, modules, GradientRows)

    def run(
        self, genomes: np.ndarray, settings: Settings, seen: Seen, out: np.ndarray, want: str = "outputs"
    ) -> Later[np.ndarray]:
        """Fill its rows of a series (P, Q, T, room, L) and return the last states (P, Q, S, L).

        With ``want="hidden"``, the series (P, Q, T, R, L) are the units that the readout sees.
        """
        individuals = self.model.individuals(genomes, settings)
        tiling, whole = seen.packed.tiling, want == "hidden"
        last = np.zeros((len(genomes), tiling.tiles, self.model.state_size, tiling.lanes), self.model.dtype)
        series = out if whole else out[..., self._rows, :]
        bases = {want: base(series, "pq"), "last_state": base(last, "pq")}
        wanted = Wanted(tiling.lanes, 0, want, room=self.room)
        return Later(self._work(self._forward, wanted, individuals, seen, bases), lambda: last)

    def losses(self, genomes: np.ndarray, settings: Settings, seen: Seen) -> np.ndarray:
        """Return the sum of the loss of each genome over each sequence, shape (P, Q, L), float64."""
        individuals = self.model.individuals(genomes, settings)
        packed, tiling = seen.packed, seen.packed.tiling
        losses = np.zeros((len(genomes), tiling.tiles, tiling.lanes))
        wanted = Wanted(tiling.lanes, packed.targets.shape[2])
        work = self._work(self._forward, wanted, individuals, seen, {"losses": base(losses, "pq")})
        share(work.jobs, work.run)
        return losses

    def record(self, genome: np.ndarray, settings: Settings, seen: Seen, out: np.ndarray) -> Later[Recorded]:
        """Fill its rows of a series (Q, T, room, L), and keep what the backward half needs."""
        packed, model = seen.packed, self.model
        tiling, steps = packed.tiling, packed.x.shape[1]
        wanted = self._wanted(seen)
        size = self._gradient.size(wanted, TAPE) * (steps + 1)
        whole = segment_of(self._gradient, model, wanted, steps) == steps
        if not whole or tiling.tiles * size * model.dtype.itemsize > KEPT_BYTES:
            work, found = self.run(genome[None], settings, seen, out[None])
            return Later(work, lambda: Recorded(found()[0], None))
        tape = room((tiling.tiles, size), model.dtype)
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), model.dtype)
        bases = {
            "outputs": base(out[:, :, self._rows], "q"),
            "last_state": base(last, "q"),
            TAPE: base(tape, "q"),
        }
        work = self._step_through(wanted, model.individuals(genome, settings), seen, bases, RECORD)
        return Later(work, lambda: Recorded(last, tape))

    def back(
        self,
        genome: np.ndarray,
        settings: Settings,
        seen: Seen,
        recorded: Recorded,
        series: tuple[np.ndarray, np.ndarray],
        d_last: np.ndarray | None = None,
    ) -> Later[Back]:
        """Return the gradients of genes, inputs and first state of a function of the series and the last state.

        Parameters
        ----------
        genome, settings, seen, recorded
            Those of `record`, and what it returned.
        series : tuple of ndarray, shape (Q, T, room, L)
            The series that `record` filled, and the gradient of the function with respect to it.
        d_last : ndarray, shape (Q, S, L), optional
            The gradient with respect to the last state, zero by default.
        """
        out, d_out = (array[:, :, self._rows] for array in series)
        bases = {"outputs": base(out, "q"), "given": base(d_out, "q")}
        half = 0
        if recorded.tape is not None:
            bases[TAPE] = base(recorded.tape, "q")
            half = RETURN
        last = np.zeros_like(recorded.last)
        return self._backward(genome, settings, seen, (last, d_last), bases, half)

    def loss_and_back(
        self, genome: np.ndarray, settings: Settings, seen: Seen, scale: float
    ) -> tuple[np.ndarray, np.ndarray, Back]:
        """Return the losses (Q, L) of sequences, the last states (Q, S, L), and gradients of `scale` times the sum."""
        packed, tiling = seen.packed, seen.packed.tiling
        losses = np.zeros((tiling.tiles, tiling.lanes))
        scales = np.array([scale], self.model.dtype)
        last = np.zeros((tiling.tiles, self.model.state_size, tiling.lanes), self.model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        back = self._backward(genome, settings, seen, (last, None), bases, 0, packed.targets.shape[2])
        return losses, last, back.now()

    def source(self) -> str:
        """Return its listings for readers."""
        form = self.model.form
        scored = any(block.layer is None for block in form.step.blocks)
        target_rows = (1 if form.loss.labels else self.model.outputs) if scored else 0
        forward = ForwardRows(self.model, Wanted(1, 0, "outputs", room=self.room))
        wanted = WantedGradient(1, target_rows, part=self.room, inputs=self._inputs)
        backward = GradientRows(self.model, wanted)
        return f"{forward.listing.text()}\n\n{backward.listing.text()}"

    # --- Runs of listings ---------------------------------------------------------------------------

    def _wanted(self, seen: Seen, target_rows: int = 0) -> WantedGradient:
        lanes = seen.packed.tiling.lanes
        return WantedGradient(lanes, target_rows, part=self.room, inputs=self._inputs)

    def _backward(
        self,
        genome: np.ndarray,
        settings: Settings,
        seen: Seen,
        last: tuple[np.ndarray, np.ndarray | None],
        bases: dict[str, Base],
        half: int,
        target_rows: int = 0,
    ) -> Later[Back]:
        """Run the backward half, or both halves; `last` is room for the last states, and their gradient."""
        model, tiling = self.model, seen.packed.tiling
        individual = model.individuals(genome, settings)
        gradients = np.zeros((tiling.tiles, individual.genomes.size), model.dtype)
        d_x = None
        if self._inputs:
            d_x = room_for_series(seen.packed, seen.x.shape[2], model.dtype)
        d_first, d_last = np.zeros_like(last[0]), np.zeros_like(last[0]) if last[1] is None else last[1]
        bases |= {
            "gradient": base(gradients, "q"),
            "last_state": base(last[0], "q"),
            "d_last": base(d_last, "q"),
            "d_first": base(d_first, "q"),
        }
        if d_x is not None:
            bases["d_x"] = base(d_x, "q")

        def result() -> Back:
            gradient = gradients.sum(axis=0, dtype=np.float64).astype(model.dtype)
            return Back(model.of_genes(genome, settings, gradient), d_x, d_first)

        work = self._step_through(self._wanted(seen, target_rows), individual, seen, bases, half)
        return Later(work, result)

    def _step_through(
        self,
        wanted: WantedGradient,
        individual: Individuals,
        seen: Seen,
        bases: dict[str, Base],
        half: int,
    ) -> Work:
        """Return the work of a gradient listing."""
        packed, steps = seen.packed, seen.packed.x.shape[1]
        segment = segment_of(self._gradient, self.model, wanted, steps)
        spans = np.hstack([packed.span[:, :2], np.full((len(packed.span), 1), segment)])
        if half:
            spans = np.hstack([spans, np.full((len(spans), 1), half)])
        memory = {STARTS: -(-steps // segment)}
        if TAPE not in bases:
            memory[TAPE] = segment + 1
        return self._work(self._gradient, wanted, individual, seen, bases, spans.astype(np.int64), memory)

    def _work(
        self,
        listings: Listings,
        wanted: Wanted | WantedGradient,
        individuals: Individuals,
        seen: Seen,
        bases: dict[str, Base],
        spans: np.ndarray | None = None,
        memory: dict[str, int] | None = None,
    ) -> Work:
        packed = seen.packed
        tiling = packed.tiling
        nothing = Conditions(np.zeros((tiling.sequences, self.model.state_size), self.model.dtype))
        if spans is None:
            closed, spans = free_steps(tiling, packed, None)
            bases = {**bases, "free_from": base(closed, "q")}
        bases = {
            "x": base(seen.x, "pq" if seen.x.ndim == 5 else "q"),
            "state": base(seen.state, "pq" if seen.state.ndim == 4 else "q"),
            **bases,
        }
        return listings.work(wanted, Task(individuals, packed, nothing, spans), bases, memory)
