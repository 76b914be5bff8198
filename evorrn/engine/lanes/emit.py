"""The emitted forward program with the sequences of a batch as lanes, and what its gradient shares with it.

A program runs tiles of lanes under one genome each, weights broadcast. Its buffers are (rows, lanes), laid
one after the other in memory that its caller keeps: fresh memory costs a page fault every 4 KB, and every
allocation in a program costs time to compile.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from evorrn.compile.schedule import Schedule
from evorrn.compile.step import OUTPUT
from evorrn.engine.arguments import CONDITIONS, NETWORK, RESULTS, SEQUENCES, Arguments
from evorrn.engine.model import Form
from evorrn.engine.program import ProgramEmitter, indent
from evorrn.engine.stages import StageWriter, size, variable

BLOCK = 16
OPENING = """from evorrn.engine.lanes.kernels import (
    at, block, clear, close_loop, copy, entries, flat, join, matrix, select_lanes, series, set_aside, take,
)
from {loss} import add_loss, loss_gradient
from evorrn.engine.lanes.tiles import affine, outer

BLOCK = {block}  # time steps whose outer products are added in one go"""


@dataclass(frozen=True)
class Buffer:
    """A buffer of a program.

    Attributes
    ----------
    name : str
        The variable that holds it.
    dimension : str
        Its rows.
    steps : str
        How many tiles follow each other, as the source says it; empty for a single tile.
    """

    name: str
    dimension: str
    steps: str = ""


TILES = ("first", "last", "scratch", "places")
"""Arguments of programs along lanes that come with each call: the jobs, and the memory of the buffers."""

FORWARD = Arguments(
    TILES, *NETWORK, *SEQUENCES, *CONDITIONS, "spans", "free_from_all", *RESULTS, "losses_all"
)
"""The arguments of the forward program: one genome on one tile is a job."""


class LanesEmitter(ProgramEmitter):
    """Emits the forward program of a network.

    Parameters
    ----------
    form : Form
    """

    def __init__(self, form: Form) -> None:
        super().__init__(form, "", OPENING.format(loss=form.loss.module, block=BLOCK))

    def forward(self) -> str:
        """Return the source of the forward program: losses, outputs, states and the last state."""
        writer = StageWriter(self.graph, self.step, self.names, "loop", rowwise=True)
        functions, calls = writer.write(self.plan)
        states = self.step.states
        body = [
            *self._unpack_parameters(),
            *views(self.forward_buffers),
            *self._load_states("slots"),
            *([] if self.step.feeds_back else [f"clear({OUTPUT}_new)"]),
            "for t in range(longest):",
            "    now, new = t & 1, 1 - (t & 1)",
        ]
        inner = [f"{variable(name)} = at({variable(name)}_slots, now)" for name in states]
        inner += [f"{variable(name)}_new = at({variable(name)}_slots, new)" for name in states]
        last = variable(OUTPUT) if self.step.feeds_back else f"{OUTPUT}_new"
        if self.step.feeds_back:
            inner += ["if teacher.shape[0] > 0:", f"    copy({OUTPUT}, at(teacher, t))"]
        inner += [
            "x_t = at(x, t)",
            "if t >= first_free:",
            f"    x_t = close_loop(closed, x_t, {last}, free_from, t)",
        ]
        inner += calls
        inner += [f"add_loss({OUTPUT}_new, at(targets, t), at(weights, t), losses)"]
        inner += ["if outputs.shape[0] > 0:", f"    copy(at(outputs, t), {OUTPUT}_new)"]
        inner += ["if t >= shortest:"]
        inner += [f"    select_lanes({variable(name)}_new, {variable(name)}, lengths, t)" for name in states]
        inner += ["if hidden.shape[0] > 0:", f"    copy(at(hidden, t), {variable(self.step.hidden)}_new)"]
        body += indent(inner)
        body += self._save_states("slots", "longest & 1")
        contract = "Run jobs first to last, each one genome on one tile."
        return self.program(functions, f"forward({FORWARD})", contract, self._per_tile(_FORWARD_JOB, body))

    @cached_property
    def forward_buffers(self) -> tuple[Buffer, ...]:
        """Return the buffers of the forward program, in the order of their places."""
        return (
            *self._temporaries(self.plan, ()),
            *(Buffer(f"{variable(name)}_slots", rows, "2") for name, rows in self.step.states.items()),
            Buffer("closed", "I"),
        )

    def _per_tile(self, job: list[str], body: list[str]) -> list[str]:
        sizes = [*self.unpack_sizes(self.step.adjoint.graph), "n_lanes = x_all.shape[3]"]
        return [*sizes, "for job in range(first, last):", *indent([*job, *body])]

    def _rows(self, index: int) -> str:
        return self.graph.nodes[index].shape[0]

    def _unpack_parameters(self) -> list[str]:
        lines = []
        for k, (name, shape) in enumerate(self.step.parameters.items()):
            view = f"entries(genome, offsets, {k})"
            if len(shape) == 2:
                view = f"matrix(genome, offsets, {k}, {size(shape[0])}, {size(shape[1])})"
            lines.append(f"{variable(name)} = {view}")
        return lines

    def _temporaries(self, plan: Schedule, elsewhere: Iterable[int]) -> list[Buffer]:
        """Return a tile for everything that a schedule stores and that has no place of its own."""
        outside = {*elsewhere, *(self.graph.outputs[name] for name in self.step.states)}
        return [Buffer(self.names[i], self._rows(i)) for i in sorted(plan.stored - outside)]

    def _load_states(self, place: str) -> list[str]:
        return [
            f"copy(at({name}_{place}, 0), block(state, {start}, {rows}))"
            for name, start, rows in self._state_rows()
        ]

    def _save_states(self, place: str, index: str) -> list[str]:
        return [
            "if last_state.shape[0] > 0:",
            *(
                f"    copy(block(last_state, {start}, {rows}), at({name}_{place}, {index}))"
                for name, start, rows in self._state_rows()
            ),
        ]

    def _state_rows(self) -> list[tuple[str, str, str]]:
        """Return variable, first row and rows of each state in the rows of a whole state."""
        sizes = [size(dimension) for dimension in self.step.states.values()]
        starts = [" + ".join(sizes[:k]) or "0" for k in range(len(sizes))]
        return list(zip(map(variable, self.step.states), starts, sizes))


def views(buffers: tuple[Buffer, ...]) -> list[str]:
    """Return the lines that find each buffer in the memory of the call."""
    lines = []
    for k, buffer in enumerate(buffers):
        rows = size(buffer.dimension)
        view = f"matrix(scratch, places, {k}, {rows}, n_lanes)"
        if buffer.steps:
            view = f"series(scratch, places, {k}, {buffer.steps}, {rows}, n_lanes)"
        lines.append(f"{buffer.name} = {view}")
    return lines


_FORWARD_JOB = [
    "p, q = job // x_all.shape[0], job % x_all.shape[0]",
    "genome, x, targets, weights = at(genomes, p), at(x_all, q), at(targets_all, q), at(weights_all, q)",
    "lengths, free_from = at(lengths_all, q), at(free_from_all, q)",
    "teacher, state = at(teacher_all, q), at(state_all, q)",
    "outputs, hidden, last_state = at(outputs_all, q), at(hidden_all, q), at(last_state_all, q)",
    "shortest, longest, first_free = spans[q, 0], spans[q, 1], spans[q, 2]",
    "losses = at(at(losses_all, p), q)",
]
