"""The forward listing of a network whose lanes are the sequences of a batch.

A job is one genome on one tile of lanes, with weights broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.schedule import schedule
from evorrn.compile.step import INPUT_NAME, OUTPUT, Step
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.leaves import Numbers, Sizes
from evorrn.engine.listing.listing import Listing, Place
from evorrn.engine.listing.writer import CLEAR, COPY, StageRows
from evorrn.engine.model import Model
from evorrn.engine.stages import Names, variable
from evorrn.losses.base import Loss

SELECT, CLEAR_ENDED = fixed("select"), fixed("clear_ended")
OVERRIDE, CLEAR_OVERRIDDEN = fixed("override"), fixed("clear_overridden")
BASES = ("genome", "x", "targets", "weights", "lengths", "free_from", "teacher", "state", "losses")
RESULTS = ("outputs", "hidden", "last_state")


class Wanted(NamedTuple):
    """What a forward listing reads and computes.

    Attributes
    ----------
    lanes : int
    target_rows : int
        Rows of the targets; 0 if no loss is computed.
    series : str
        ``"outputs"`` or ``"hidden"``, empty for neither. With a series the last state is also wanted.
    teacher, free : bool
        Whether a teacher is given, and whether sequences run in closed loop.
    room : int
        Rows of the array that the series is a part of, if it is a part of one; it is then zero beyond the lengths.
    """

    lanes: int
    target_rows: int
    series: str = ""
    teacher: bool = False
    free: bool = False
    room: int = 0


class NetworkRows:
    """What the listings of a network share: places of states, inputs and targets, and the rows of the loss.

    Parameters
    ----------
    model : Model
    listing : Listing
    ones : int
        How many numbers 1 it reads.
    """

    def __init__(self, model: Model, listing: Listing, ones: int = 1) -> None:
        self.step: Step = model.form.step
        self.listing = listing
        offsets = {name: genes.start for name, genes in model.slices.items()}
        self.sizes = Sizes(model.sizes, offsets)
        self.numbers = Numbers(self.step.options, ones)
        self._loss: Loss = model.form.loss
        feed, module = model.form.feed, self._loss.module
        self.feed = fixed("feed", feed, module) if feed else None
        self.gradient_of_feed = fixed("gradient_of_feed", f"{feed}_gradient", module) if feed else None

    def states(self) -> Iterator[tuple[str, int, int]]:
        """Return name, first row in the array of all states, and rows of each state."""
        start = 0
        for name, shape in self.step.states.items():
            rows = self.sizes.count(shape)
            yield name, start, rows
            start += rows

    def inputs(self) -> dict[int, Place]:
        """Return the places of the inputs and of the noise behind them at time step t, by node."""
        lanes, leaves = self.listing.lanes, self.step.graph.leaves("input")
        rows = {"x": self.sizes.of("I")} | {n: self.sizes.count(s) for n, s in self.step.noise.items()}
        places, start, stride = {}, 0, sum(rows.values()) * lanes
        for name, count in rows.items():
            if name in leaves:
                places[leaves[name]] = Place(
                    "x", start, stride, mask=-1, name="" if name == "x" else variable(name)
                )
            start += count * lanes
        return places

    def series(self, base: str, rows: int) -> Place:
        """Return the place of an array's tile (rows, lanes) at time step t."""
        return Place(base, 0, rows * self.listing.lanes, mask=-1)

    def vector(self, base: str) -> Place:
        """Return the place of an array that does not change in time."""
        return Place(base)

    def losses(self) -> Place:
        """Return the place of the losses of the lanes."""
        return self.vector("losses")

    def first_state(self, name: str, start: int) -> Place:
        """Return the place of a state before the first time step, from its first row among all states."""
        return Place("state", start * self.listing.lanes, name=f"first_{variable(name)}")

    def select(self, target: Place, other: Place, rows: int, ends: str = "lengths") -> None:
        """Write the row that takes another tile in the lanes that have ended."""
        self.listing.row(SELECT, target, other, self.vector(ends), rows, self.listing.lanes)

    def clear_ended(self, target: Place, rows: int) -> None:
        """Write the row that sets a tile to zero in the lanes that have ended."""
        self.listing.row(CLEAR_ENDED, target, self.vector("lengths"), rows, self.listing.lanes)

    def copy(self, out: Place, source: Place, rows: int) -> None:
        """Write the row that copies a tile."""
        self.listing.row(COPY, out, source, rows * self.listing.lanes)

    def clear(self, out: Place, rows: int) -> None:
        """Write the row that sets a tile to zero."""
        self.listing.row(CLEAR, out, rows * self.listing.lanes)

    def loss(self, y: Place, target_rows: int, gradient: Place | None = None) -> None:
        """Write the row that adds the loss of outputs, and the row of its gradient if there is a place for it."""
        outputs, lanes = self.sizes.of("O"), self.listing.lanes
        about = (
            y,
            self.series("targets", target_rows),
            self.series("weights", 1),
            outputs,
            target_rows,
            lanes,
        )
        self.listing.row(fixed("loss", "add_loss", self._loss.module), self.losses(), *about)
        if gradient is not None:
            kernel = fixed("gradient_of_loss", "loss_gradient", self._loss.module)
            self.listing.row(kernel, gradient, self.vector("scale"), *about)


class ForwardRows(NetworkRows):
    """The forward listing of a network, with one section for each kind of time step.

    Sections ``step`` are for time steps at which no sequence of the tile has ended, sections ``step_ended`` for the
    others; sections with ``free`` are for those at which a sequence runs in closed loop. ``before`` and ``after``
    run once.

    Parameters
    ----------
    model : Model
    wanted : Wanted
    whole : bool
        Whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, wanted: Wanted, whole: bool = False) -> None:
        super().__init__(model, Listing(wanted.lanes, (*BASES, *RESULTS)))
        self._wanted = wanted
        self._backward = model.form.backward
        step, graph, listing = self.step, self.step.graph, self.listing
        inputs = graph.leaves("input")
        self._old = {name: listing.slots(rows, variable(name)) for name, _, rows in self.states()}
        self._new = {name: place.later() for name, place in self._old.items()}
        where = self.inputs()
        self._x = where[inputs[INPUT_NAME]]
        where.update({inputs[name]: place for name, place in self._old.items() if name in inputs})
        for name, index in graph.outputs.items():
            where[index] = self._new.get(name) or self._result(name)
        self._y = where[graph.outputs[OUTPUT]]
        self._hidden = where[graph.outputs[step.hidden]]
        names = step_names(step)
        self._stages = StageRows(graph, names, listing, self.sizes, self.numbers, where, whole)
        self._plan = schedule(graph, graph.outputs.values())
        for free in (False, True)[: 1 + wanted.free]:
            for ended in (False, True):
                self._time_step(free, ended)
                listing.section("step" + "_free" * free + "_ended" * ended)
        self._before()
        listing.section("before")
        if wanted.series:
            for name, start, rows in self.states():
                self.copy(
                    Place("last_state", start * wanted.lanes, name=f"last_{variable(name)}"),
                    self._old[name],
                    rows,
                )
        listing.section("after")

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of one tile, from its shortest and longest length and its first step in closed loop."""
        shortest, longest, first_free = span
        table = np.zeros((longest + 2, 4), np.int64)
        table[1:, 1] = np.arange(longest + 1)
        table[1:, 0] = sections["step"]
        table[1 + shortest :, 0] = sections["step_ended"]
        if self._backward:  # a sequence begins at its own last step; `before` comes at the first of all
            table[1:-1] = table[-2:0:-1].copy()
            table[0, 1], table[-1, 1] = longest - 1, 1
        if first_free < longest:
            start = max(0, first_free - 1)  # the output of this step is the first that goes back
            table[1 + start :, 0] = sections["step_free"]
            table[1 + max(start, shortest) :, 0] = sections["step_free_ended"]
        table[0, 0], table[-1, 0] = sections["before"], sections["after"]
        return table

    @cached_property
    def spare(self) -> int:
        """See `StageRows.spare`."""
        return self._stages.spare(self._plan)

    def _result(self, name: str) -> Place:
        """Return the tile of a result that is no state."""
        index = self.step.graph.outputs[name]
        return self.listing.tile(
            self.sizes.count(self.step.graph.nodes[index].shape), f"{variable(name)}_new"
        )

    def _time_step(self, free: bool, ended: bool) -> None:
        wanted, sizes, outputs = self._wanted, self.sizes, self.sizes.of("O")
        last_y = self._old.get(OUTPUT, self._y)
        x = self.step.graph.leaves("input")[INPUT_NAME]
        self._stages.where[x] = self._x
        if free:
            self._stages.where[x] = closed = self._closed
            self.copy(closed, self._x, sizes.of("I"))
            self.select(closed, last_y, outputs, "free_from")
        if (
            wanted.teacher and self.step.feeds_back
        ):  # after the loop is closed, which takes the network's own output
            self._teach(ended)
        self._stages.write(self._plan)
        if wanted.target_rows:
            self.loss(self._y, wanted.target_rows)
        if wanted.series == "outputs":
            self.copy(self.series("outputs", wanted.room or outputs), self._y, outputs)
            if wanted.room and ended:
                self.clear_ended(self.series("outputs", wanted.room), outputs)
        if self.feed and (free or self.step.feeds_back):
            self.listing.row(self.feed, self._y, outputs, wanted.lanes)
        if ended:
            for name, _, rows in self.states():
                self.select(self._new[name], self._old[name], rows)
        if wanted.series == "hidden":
            rows = sizes.of(self.step.width)
            self.copy(self.series("hidden", rows), self._hidden, rows)

    def _teach(self, ended: bool) -> None:
        """Write the rows that replace the previous output with the teacher's; those of ended sequences stay."""
        outputs = self.sizes.of("O")
        taught = self.series("teacher", outputs)
        if ended:
            self.copy(self._y, taught, outputs)
            self.select(self._y, self._old[OUTPUT], outputs)
            taught = self._y
        self.listing.row(OVERRIDE, self._old[OUTPUT], taught, outputs * self.listing.lanes)

    @property
    def _closed(self) -> Place:
        return self.listing.tile(self.sizes.of("I"), "closed")

    def _before(self) -> None:
        """Write the rows that load the first states, and those of `StageRows.prologue`."""
        for name, start, rows in self.states():
            self.copy(self._old[name], self.first_state(name, start), rows)
        if not self.step.feeds_back:
            self.clear(self._y, self.sizes.of("O"))
        self._stages.prologue()


def step_names(step: Step) -> Names:
    """Return the variables of the nodes of a step, for readers."""
    graph = step.graph
    leaves = {index: variable(node.name) for index, node in enumerate(graph.nodes) if node.name}
    new = {index: f"{variable(name)}_new" for name, index in graph.outputs.items()}
    return Names(graph, {**leaves, graph.leaves("input").get(INPUT_NAME, -1): "x_t", **new})
