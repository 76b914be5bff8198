"""The base of the emitters of programs that follow single sequences with derivatives carried forward in time.

The units lie along the vectors, as in `evorrn.engine.rows`. A sequence runs in chunks of some time steps, each with its
derivatives along all directions.
"""

from __future__ import annotations

from dataclasses import replace

from evorrn.compile.lifted import LIFTED
from evorrn.compile.op import WEIGHTS
from evorrn.compile.schedule import Affine, Whole
from evorrn.compile.step import Step
from evorrn.engine.influence.directions import Direction
from evorrn.engine.influence.outline import Outline
from evorrn.engine.lanes.backward import Derivative
from evorrn.engine.model import Form
from evorrn.engine.program import ProgramEmitter, indent
from evorrn.engine.rows.emit import RowsEmitter, RowsWriter
from evorrn.engine.stages import Names, size, variable

OPENING = """from evorrn.engine.influence.{kernels}
from evorrn.engine.lanes.kernels import entries, flat, matrix
from evorrn.engine.rows.kernels import (
    affine_columns, affine_dots, aligned, join_rows, pack_columns, pack_rows, pack_vector,
)
from {loss} import add_loss, loss_gradient

VECTOR = {vector}"""


class FollowingEmitter(RowsEmitter):
    """Emits the time steps of a program; a subclass says what happens after each of them and after a chunk.

    Parameters
    ----------
    form : Form
    step : Step
        The network's step, lifted.
    outline : Outline
    about : tuple of str
        A description of the program, and what it imports from where in `evorrn.engine.influence`.
    vector : int
        Number of values in one vector register.
    """

    def __init__(self, form: Form, step: Step, outline: Outline, about: tuple[str, str], vector: int) -> None:
        title, kernels = about
        opening = OPENING.format(loss=form.loss.module, vector=vector, kernels=kernels)
        ProgramEmitter.__init__(self, replace(form, step=step), title, opening)
        self._derivative, self._outline = Derivative(step), outline
        self._directions = [Direction(self._derivative, outline, k) for k in range(outline.directions)]
        self._count = len(step.graph.nodes)
        self.sparse = frozenset()
        for name, index in step.graph.leaves("input").items():
            if name.startswith(LIFTED):
                self.names.given[index] = variable(name.removeprefix(LIFTED))

    def _stages(self) -> tuple[list[str], list[str]]:
        """Return functions and lines of a time step with its derivatives."""
        record = RowsWriter(self.graph, self.step, self.names, "forward")
        functions, forward = record.write(self._derivative.record)
        body = self._per_step(forward)
        for along in self._directions:
            writer = RowsWriter(along.graph, self.step, self._along(along.number), f"back{along.number}")
            lines, calls = writer.write(along.schedule)
            functions += lines
            body += [f"# Direction {along.number}.", *calls]
        return functions, body

    def _jobs(self, body: list[str], after: list[str], first: str) -> list[str]:
        """Return the lines that follow all sequences, from those of a time step, those after a chunk, and the first time step."""
        return [
            "n, genomes = 0, genome",
            *[line.replace("[n]", "[0]") for line in self._pack_weights()],
            "for job in range(first, last):",
            "    b = job",
            *indent(self._move_states("{v}_slots[0, 0, k] = state_all[b, {place}]")),
            *indent(self._of_readout()),
            "    total[0] = 0",
            "    for begin in range(0, lengths_all[b], chunk):",
            "        steps = min(chunk, lengths_all[b] - begin)",
            "        for step in range(steps):",
            f"            t = {first} + step",
            *indent(body, 3),
            *indent(after, 2),
            *indent(self._move_states("{v}_slots[0, 0, k] = {v}_slots[steps, 0, k]"), 2),
            *indent(self._move_states("state_all[b, {place}] = {v}_slots[0, 0, k]")),
            "    losses_all[b] = total[0]",
        ]

    # --- What a subclass adds -------------------------------------------------------------------------

    def _kept(self) -> dict[str, str]:
        """Return ``{variable: dimension}`` of all values that are kept for every time step of a chunk."""
        return {"x_t": "I"}

    def _loss_of(self, number: int, state: str) -> str:
        """Return the expression of where the derivative of the loss by a state that the readout sees goes."""
        raise NotImplementedError

    def _seen(self) -> list[str]:
        """Return the states whose derivatives of the loss are wanted."""
        return list(self._outline.seen)

    # --- Names and memory -----------------------------------------------------------------------------

    def _along(self, direction: int) -> Names:
        """Return the variables of the nodes of the derivative along a direction."""
        graph = self._derivative.graph
        given = dict(self.names.given)
        for index, node in enumerate(graph.nodes):
            if index < self._count:
                continue
            seed = node.name.removeprefix("d.next.") if node.op == "input" else ""
            if node.name == "d.output":
                given[index] = "d_output"
            elif seed:
                given[index] = f"seed_{variable(seed)}_{direction}"
            elif node.op not in WEIGHTS:
                given[index] = f"v{index}_{direction}"
        return Names(graph, given)

    def _slots(self) -> list[str]:
        """Return the variables of old and new states."""
        names = [variable(name) for name in self.step.states]
        return [*names, *(f"{name}_new" for name in names)]

    def _allocate(self) -> list[str]:
        """Return the lines that allocate the buffers and the packed weights."""
        graph, outline = self._derivative.graph, self._outline
        lines = self.unpack_sizes(graph)
        for dimension in sorted({d for node in graph.nodes for d in node.shape}):
            lines.append(f"{self._padded(dimension)} = (({size(dimension)} + VECTOR - 1) // VECTOR) * VECTOR")
        lines += [
            "pairs = 1",
            "weight = np.zeros(1, F)",
            "total = np.zeros(1, np.float64)",
            "target = np.zeros((targets_all.shape[2], 1), F)",
            "errors = np.zeros((n_O, 1), F)",
            "d_output = aligned((1, wide_O), F)",
        ]
        lines += [self._allocated(*parameter, "1") for parameter in self._used_parameters()]
        kept = self._kept()
        for name, (dimension,) in self.step.states.items():
            lines.append(f"{variable(name)}_slots = aligned((chunk + 1, 1, {self._padded(dimension)}), F)")
            for direction in range(outline.directions):
                seed = f"seed_{variable(name)}_{direction}"
                lines.append(f"{seed}_kept = aligned((chunk, 1, {self._padded(dimension)}), F)")
                if outline.colours[name] == direction:
                    lines.append(f"{seed}_kept[:] = 1")
                lines.append(f"{seed} = {seed}_kept[0]")
        for name, dimension in kept.items():
            lines.append(f"{name}_kept = aligned((chunk, 1, {self._padded(dimension)}), F)")
        buffers = {
            self.names[index]: graph.nodes[index].shape[0]
            for index in self._derivative.record.stored
            if index not in {self.graph.outputs[name] for name in self.step.states}
        }
        for along in self._directions:
            names = self._along(along.number)
            buffers |= {names[i]: graph.nodes[i].shape[0] for i in along.schedule.stored}
        for name, dimension in sorted(buffers.items()):
            if name not in kept:
                lines.append(f"{name} = aligned((1, {self._padded(dimension)}), F)")
        lines += ["one_kept = aligned((chunk, 1, VECTOR), F)", "one_kept[:] = 1", "one = one_kept[0]"]
        return lines

    def _used_parameters(self) -> list[tuple[str, tuple[str, ...], bool]]:
        """Return name, shape and whether it is transposed of each parameter that a schedule reads."""
        used: set[tuple[str, bool]] = set()
        schedules = [(self._derivative.graph, self._derivative.record)]
        schedules += [(along.graph, along.schedule) for along in self._directions]
        for graph, schedule in schedules:
            nodes = graph.nodes
            for stage in schedule.stages:
                if isinstance(stage, Affine):
                    used |= {(nodes[matrix].name, transposed) for matrix, transposed, _ in stage.terms}
                    used |= {(nodes[stage.bias].name, False)} if stage.bias is not None else set()
                elif not isinstance(stage, Whole):
                    read = {operand for index in stage.nodes for operand in nodes[index].operands}
                    used |= {
                        (nodes[i].name, False)
                        for i in read
                        if nodes[i].op in WEIGHTS and nodes[i].shape != ()
                    }
        return [(n, s, t) for n, s in self.step.weights.items() for t in (False, True) if (n, t) in used]

    def _dimension(self, state: str) -> str:
        return self.step.states[state][0]

    def _old(self, state: str, names: Names) -> str:
        """Return the variable of the derivative with respect to an old state."""
        return names[self._derivative.graph.outputs[state]]

    def _rows(self, source: int | None) -> str:
        """Return the rows of a source."""
        return "1" if source is None else size(self._derivative.graph.nodes[source].shape[0])

    # --- A time step ----------------------------------------------------------------------------------

    def _per_step(self, forward: list[str]) -> list[str]:
        """Return the lines of a time step forward, with its loss."""
        lines = []
        for name in self.step.states:
            v = variable(name)
            lines += [f"{v} = at_step(F, {v}_slots, step)", f"{v}_new = at_step(F, {v}_slots, step + 1)"]
        lines += [f"{name} = at_step(F, {name}_kept, step)" for name in self._kept()]
        lines += [
            "for k in range(n_I):",
            "    x_t[0, k] = x_all[b, t, k]",
            "weight[0] = weights_all[b, t]",
            "for k in range(target.shape[0]):",
            "    target[k, 0] = targets_all[b, t, k]",
            *forward,
            "add_loss(outputs, target, weight, total)",
            "loss_gradient(outputs, target, weight, scale, errors)",
        ]
        for k, name in enumerate(self._seen()):
            units, target = size(self._dimension(name)), self._loss_of(k, name)
            lines.append(f"back_to_units({target}, errors, back_all, seen[{k}], {units})")
        for k, (source, _) in enumerate(self._outline.readout):
            read = "one" if source is None else self.names[source]
            lines.append(f"add_products(of_readout_{k}, errors, {read})")
        return lines

    def _of_readout(self) -> list[str]:
        """Return the lines that name the parts of a sequence's gradient of the readout."""
        lines, start = [], "0"
        for k, (source, _) in enumerate(self._outline.readout):
            count = self._rows(source)
            stop = f"{start} + n_O * {count}"
            lines.append(f"of_readout_{k} = readout_all[b, {start}:{stop}].reshape((n_O, {count}))")
            start = stop
        return lines
