"""Emits the program that learns forward in time along single sequences, where weights change states of their own units alone.

The units lie along the vectors, as in `evorrn.engine.rows`. A sequence runs in chunks of some time steps: first the steps of
the chunk, each with its derivatives along all directions, which stay in memory; then the traces of all weights, which are
moved on by all steps of the chunk in one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evorrn.compile.lifted import LIFTED
from evorrn.compile.op import WEIGHTS
from evorrn.compile.schedule import Affine, Whole
from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.arguments import Arguments
from evorrn.engine.influence.directions import Direction
from evorrn.engine.influence.units import ByUnit, Part
from evorrn.engine.lanes.backward import Derivative
from evorrn.engine.model import Form
from evorrn.engine.program import ProgramEmitter, indent
from evorrn.engine.rows.emit import RowsEmitter, RowsWriter
from evorrn.engine.stages import Names, size, variable

OPENING = """from evorrn.engine.influence.traces import add_products, at_step, back_to_units, move_traces, pack_diagonal
from evorrn.engine.lanes.kernels import entries, flat, matrix
from evorrn.engine.rows.kernels import (
    affine_columns, affine_dots, aligned, join_rows, pack_columns, pack_rows, pack_vector,
)
from {loss} import add_loss, loss_gradient

VECTOR = {vector}"""

LEARN = Arguments(
    ("first", "last"),
    *("chunk", "genome", "options", "sizes", "offsets"),
    *("x_all", "targets_all", "weights_all", "lengths_all", "scale", "back_all", "seen"),
    *("state_all", "traces_all", "gradient_all", "readout_all", "losses_all"),
)
"""The arguments of the program. A job is a sequence."""


class LearningEmitter(RowsEmitter):
    """Emits the program of a network.

    Parameters
    ----------
    form : Form
    step : Step
        The network's step, lifted.
    found : ByUnit
    vector : int
        Number of values in one vector register.
    """

    def __init__(self, form: Form, step: Step, found: ByUnit, vector: int) -> None:
        opening = OPENING.format(loss=form.loss.module, vector=vector)
        ProgramEmitter.__init__(self, replace(form, step=step), ", learning along the units", opening)
        self._derivative, self._found = Derivative(step), found
        self._directions = [Direction(self._derivative, found, k) for k in range(found.directions)]
        self._count, self._views = len(step.graph.nodes), dict[str, str]()
        self.sparse = frozenset()
        for name, index in step.graph.leaves("input").items():
            if name.startswith(LIFTED):
                self.names.given[index] = variable(name.removeprefix(LIFTED))

    def source(self) -> str:
        """Return the source of the program."""
        record = RowsWriter(self.graph, self.step, self.names, "forward")
        functions, forward = record.write(self._derivative.record)
        body = self._per_step(forward)
        for along in self._directions:
            writer = RowsWriter(along.graph, self.step, self._along(along.number), f"back{along.number}")
            lines, calls = writer.write(along.schedule)
            functions += lines
            body += [f"# Direction {along.number}.", *calls]
        folds, calls = self._folds()
        functions, body = functions + folds, body + calls
        traces = self._moves()
        lines = [
            *self._allocate(),
            f"outputs = {OUTPUT}_new[:, :n_O].T",
            *(f"{name} = {kept}" for name, kept in self._views.items()),
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
            "            t = begin + step",
            *indent(body, 3),
            *indent(traces, 2),
            *indent(self._move_states("{v}_slots[0, 0, k] = {v}_slots[steps, 0, k]"), 2),
            *indent(self._move_states("state_all[b, {place}] = {v}_slots[0, 0, k]")),
            "    losses_all[b] = total[0]",
        ]
        contract = "Learn along sequences first to last; see `evorrn.engine.influence.along.Along`."
        return self.program(functions, f"learn({LEARN})", contract, lines)

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

    def _kept(self) -> dict[str, str]:
        """Return ``{variable: dimension}`` of all values that are kept for every time step of a chunk."""
        graph, kept = self._derivative.graph, {"x_t": "I"}
        for index in self._sources():
            name = self.names[index]
            if graph.nodes[index].op not in ("input", *WEIGHTS) and name not in self._slots():
                kept[name] = graph.nodes[index].shape[0]
        for along in self._directions:
            names = self._along(along.number)
            nodes = [i for i in along.wanted if graph.nodes[i].op != "input"]
            kept |= {names[i]: graph.nodes[i].shape[0] for i in nodes}
        return kept

    def _sources(self) -> list[int]:
        found = [run.source for part in self._found.parts for run in part.runs]
        return sorted({index for index in found if index is not None})

    def _slots(self) -> list[str]:
        """Return the variables of old and new states."""
        names = [variable(name) for name in self.step.states]
        return [*names, *(f"{name}_new" for name in names)]

    def _allocate(self) -> list[str]:
        """Return the lines that allocate the buffers and the packed weights."""
        graph, found = self._derivative.graph, self._found
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
            for direction in range(found.directions):
                seed = f"seed_{variable(name)}_{direction}"
                lines.append(f"{seed}_kept = aligned((chunk, 1, {self._padded(dimension)}), F)")
                if found.colours[name] == direction:
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
        dimensions = sorted({part.dimension for part in found.parts})
        lines += [f"none_{variable(d)}_kept = aligned((chunk, 1, {self._padded(d)}), F)" for d in dimensions]
        lines += ["one_kept = aligned((chunk, 1, VECTOR), F)", "one_kept[:] = 1", "one = one_kept[0]"]
        for name in self._seen():
            lines.append(
                f"loss_{variable(name)}_kept = aligned((chunk, 1, {self._padded(self._dimension(name))}), F)"
            )
        for p, part in enumerate(found.parts):
            lines += [
                f"jacobian_{p}_{r}{c}_kept = aligned((chunk, 1, {self._padded(part.dimension)}), F)"
                for r, c in self._folded(part)
            ]
        for block, dimension in self._diagonals().items():
            k = list(self.step.weights).index(block)
            target = f"diagonal_{variable(block)}"
            view = f"matrix(genome, offsets, {k}, {size(dimension)}, {size(dimension)})"
            lines += [
                f"{target} = aligned((1, {self._padded(dimension)}), F)",
                f"pack_diagonal({target}[0], {view})",
            ]
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

    def _seen(self) -> list[str]:
        """Return the states of parts that the readout sees."""
        used = {name for part in self._found.parts for name in part.states}
        return [name for name in self._found.seen if name in used]

    def _dimension(self, state: str) -> str:
        return self.step.states[state][0]

    def _folded(self, part: Part) -> Iterator[tuple[int, int]]:
        """Yield the entries of a part's Jacobian that are sums."""
        for r, row in enumerate(part.entries):
            for c, entry in enumerate(row):
                if entry.products:
                    yield r, c

    def _diagonals(self) -> dict[str, str]:
        """Return ``{block: dimension}`` of the matrices whose diagonals are read."""
        return {
            block: part.dimension
            for part in self._found.parts
            for row in part.entries
            for entry in row
            for _, block in entry.products
        }

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
            units = size(self._dimension(name))
            lines.append(
                f"back_to_units(at_step(F, loss_{variable(name)}_kept, step), errors, back_all, seen[{k}], {units})"
            )
        for k, (source, _) in enumerate(self._found.readout):
            read = "one" if source is None else self.names[source]
            lines.append(f"add_products(of_readout_{k}, errors, {read})")
        return lines

    def _of_readout(self) -> list[str]:
        """Return the lines that name the parts of a sequence's gradient of the readout."""
        lines, start = [], "0"
        for k, (source, _) in enumerate(self._found.readout):
            count = self._rows(source)
            stop = f"{start} + n_O * {count}"
            lines.append(f"of_readout_{k} = readout_all[b, {start}:{stop}].reshape((n_O, {count}))")
            start = stop
        return lines

    def _folds(self) -> tuple[list[str], list[str]]:
        """Return functions and calls that compute the entries of Jacobians that go through products."""
        functions, calls = [], []
        for p, part in enumerate(self._found.parts):
            for r, c in self._folded(part):
                entry, name = part.entries[r][c], f"fold_{p}_{r}{c}"
                names = self._along(self._found.colours[part.states[r]])
                slopes = [names[slope] for slope, _ in entry.products]
                old = [self._old(part.states[c], names)] if entry.old else []
                count = len(entry.products)
                terms = [f"slope{k}[k] * diagonal{k}[k]" for k in range(count)]
                arguments = [f"slope{k}" for k in range(count)] + [f"diagonal{k}" for k in range(count)]
                arguments += ["old"] * len(old) + ["out"]
                functions += ["", "", "@njit(**LOOP)", f"def {name}({', '.join(arguments)}):"]
                functions += [f"    {argument} = flat({argument})" for argument in arguments]
                functions += ["    for k in range(out.size):"]
                functions += [f"        out[k] = {' + '.join(['old[k]'] * len(old) + terms)}"]
                values = [*slopes, *(f"diagonal_{variable(block)}" for _, block in entry.products), *old]
                calls.append(f"{name}({', '.join([*values, f'at_step(F, jacobian_{p}_{r}{c}_kept, step)'])})")
        return functions, calls

    def _old(self, state: str, names: Names) -> str:
        """Return the variable of the derivative with respect to an old state."""
        return names[self._derivative.graph.outputs[state]]

    # --- A chunk --------------------------------------------------------------------------------------

    def _moves(self) -> list[str]:
        """Return the lines that move all traces on by the steps of a chunk."""
        lines = ["start, at = 0, 0"]
        for p, part in enumerate(self._found.parts):
            blocks, states = f"{self._padded(part.dimension)} // VECTOR", len(part.states)
            none = self._whole(f"none_{variable(part.dimension)}")
            entries = [self._entry(p, part, r, c, none) for r in range(states) for c in range(states)]
            losses = [
                self._whole(f"loss_{variable(name)}") if name in self._found.seen else none
                for name in part.states
            ]
            for run in part.runs:
                count = self._rows(run.source)
                slopes = [
                    self._whole(self._along(self._found.colours[name])[run.slope]) if acts else none
                    for name, acts in zip(part.states, run.acts)
                ]
                source = self._whole("one" if run.source is None else self.names[run.source])
                arrays = ", ".join([*entries, *slopes, *losses, source])
                lines += [
                    f"move_traces(traces_all, gradient_all, (b, at, start, {blocks}, {count}), steps, ({arrays}))",
                    f"start += {self._padded(part.dimension)} * {count}",
                    f"at += {self._padded(part.dimension)} * {count} * {states}",
                ]
        return lines

    def _rows(self, source: int | None) -> str:
        """Return the rows of a source."""
        return "1" if source is None else size(self._derivative.graph.nodes[source].shape[0])

    def _entry(self, p: int, part: Part, r: int, c: int, none: str) -> str:
        entry = part.entries[r][c]
        if entry.products:
            return self._whole(f"jacobian_{p}_{r}{c}")
        if not entry.old:
            return none
        return self._whole(self._old(part.states[c], self._along(self._found.colours[part.states[r]])))

    def _whole(self, name: str) -> str:
        """Return the variable of what was kept of another for all steps, as a matrix."""
        kept = f"{name}_kept[:, 0, :]"
        if name in self._slots():
            new = name.endswith("_new")
            kept = f"{name.removesuffix('_new')}_slots[{'1' if new else ''}:, 0, :]"
        self._views[f"all_{name}"] = kept
        return f"all_{name}"
