"""Emits the forward program whose lanes are the sequences of a batch; its emitter is the base of the gradient's.

A job of the program is one genome on one tile of lanes, with weights broadcast. Buffers have the shape (rows,
lanes) and lie one after the other in memory that the caller provides: new memory would cost a page fault every 4 KB,
and an allocation inside the program more time to compile.
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
    at, block, clear, clear_overridden, close_loop, copy, entries, flat, join, matrix, override, select_lanes, series,
    set_aside, take, teach,
)
from {loss} import {functions}
from evorrn.engine.lanes.tiles import affine, outer

BLOCK = {block}  # time steps whose outer products are added in one go"""


@dataclass(frozen=True)
class Buffer:
    """A buffer of a program.

    Attributes
    ----------
    name : str
        Its variable in the source.
    dimension : str
        The symbolic dimension of its rows.
    steps : str
        The expression in the source for the number of tiles it holds; empty for one tile.
    """

    name: str
    dimension: str
    steps: str = ""


TILES = ("first", "last", "scratch", "places")
"""The leading arguments of programs of this layout: first and last job, the memory, and the offset of each buffer."""

FORWARD = Arguments(
    TILES, *NETWORK, *SEQUENCES, *CONDITIONS, "spans", "free_from_all", *RESULTS, "losses_all"
)
"""The arguments of the forward program. A job is one genome on one tile."""


class LanesEmitter(ProgramEmitter):
    """Emits the forward program of a network.

    Parameters
    ----------
    form : Form
    """

    def __init__(self, form: Form) -> None:
        functions = [
            "add_loss",
            "loss_gradient",
            *([form.feed, f"{form.feed}_gradient"] if form.feed else []),
        ]
        opening = OPENING.format(loss=form.loss.module, functions=", ".join(functions), block=BLOCK)
        super().__init__(form, "", opening)

    def forward(self) -> str:
        """Return the source of the forward program, which computes losses, outputs, hidden and last states."""
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
        inner += [
            "x_t = at(x, t)",
            "if t >= first_free:",
            f"    x_t = close_loop(closed, x_t, {last}, free_from, t)",
        ]
        if self.step.feeds_back:  # after the loop is closed, which takes the network's own output
            inner += [
                "if teacher.shape[0] > 0:",
                f"    teach({OUTPUT}, at(teacher, t), {OUTPUT}_new, lengths, t)",
            ]
        inner += calls
        inner += [f"add_loss({OUTPUT}_new, at(targets, t), at(weights, t), losses)"]
        inner += ["if outputs.shape[0] > 0:", f"    copy(at(outputs, t), {OUTPUT}_new)"]
        inner += self.feed_back()
        inner += ["if t >= shortest:"]
        inner += [f"    select_lanes({variable(name)}_new, {variable(name)}, lengths, t)" for name in states]
        inner += ["if hidden.shape[0] > 0:", f"    copy(at(hidden, t), {variable(self.step.hidden)}_new)"]
        body += indent(inner)
        body += self._save_states("slots", "longest & 1")
        contract = "Run jobs first to last, each one genome on one tile."
        return self.program(functions, f"forward({FORWARD})", contract, self._per_tile(_FORWARD_JOB, body))

    @cached_property
    def forward_buffers(self) -> tuple[Buffer, ...]:
        """The buffers of the forward program, in the order of their offsets."""
        return (
            *self._temporaries(self.plan, ()),
            *(Buffer(f"{variable(name)}_slots", rows, "2") for name, rows in self.step.states.items()),
            Buffer("closed", "I"),
        )

    def _per_tile(self, job: list[str], body: list[str]) -> list[str]:
        """Return the lines of a program that runs `job` and `body` for each job."""
        sizes = [*self.unpack_sizes(self.step.adjoint.graph), "n_lanes = x_all.shape[3]"]
        return [*sizes, "for job in range(first, last):", *indent([*job, *body])]

    def _rows(self, index: int) -> str:
        """Return the dimension of the vector of a node."""
        return self.graph.nodes[index].shape[0]

    def _unpack_parameters(self) -> list[str]:
        """Return the lines that assign a view of each block of the genome to a variable."""
        lines = []
        for k, (name, shape) in enumerate(self.step.parameters.items()):
            view = f"entries(genome, offsets, {k})"
            if len(shape) == 2:
                view = f"matrix(genome, offsets, {k}, {size(shape[0])}, {size(shape[1])})"
            lines.append(f"{variable(name)} = {view}")
        return lines

    def _temporaries(self, plan: Schedule, elsewhere: Iterable[int]) -> list[Buffer]:
        """Return a buffer for each node that a schedule stores, except new states and the nodes in `elsewhere`."""
        outside = {*elsewhere, *(self.graph.outputs[name] for name in self.step.states)}
        return [Buffer(self.names[i], self._rows(i)) for i in sorted(plan.stored - outside)]

    def _load_states(self, place: str) -> list[str]:
        """Return the lines that copy the first states to the first tile of buffers with a suffix."""
        return [
            f"copy(at({name}_{place}, 0), block(state, {start}, {rows}))"
            for name, start, rows in self._state_rows()
        ]

    def _save_states(self, place: str, index: str) -> list[str]:
        """Return the lines that copy the last states from a tile of buffers with a suffix."""
        return [
            "if last_state.shape[0] > 0:",
            *(
                f"    copy(block(last_state, {start}, {rows}), at({name}_{place}, {index}))"
                for name, start, rows in self._state_rows()
            ),
        ]

    def _state_rows(self) -> list[tuple[str, str, str]]:
        """Return the variable, the first row and the number of rows of each state in the array of all states."""
        sizes = [size(dimension) for dimension in self.step.states.values()]
        starts = [" + ".join(sizes[:k]) or "0" for k in range(len(sizes))]
        return list(zip(map(variable, self.step.states), starts, sizes))


def views(buffers: tuple[Buffer, ...]) -> list[str]:
    """Return the lines that assign a view of the program's memory to the variable of each buffer."""
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
