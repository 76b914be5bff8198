"""Emits the program that learns forward in time along single sequences, where weights change states of their own units alone.

The units lie along the vectors, as in `evorrn.engine.rows`. A sequence runs in chunks of some time steps: first the steps of
the chunk, each with its derivatives along all directions, which stay in memory; then the traces of all weights, which are
moved on by all steps of the chunk in one call.
"""

from __future__ import annotations

from collections.abc import Iterator

from evorrn.compile.op import WEIGHTS
from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.arguments import Arguments
from evorrn.engine.influence.following import FollowingEmitter
from evorrn.engine.influence.units import ByUnit, Part
from evorrn.engine.model import Form
from evorrn.engine.stages import size, variable

ABOUT = (
    ", learning along the units",
    "traces import add_products, at_step, back_to_units, move_traces, pack_diagonal",
)

LEARN = Arguments(
    ("first", "last"),
    *("chunk", "genome", "options", "sizes", "offsets"),
    *("x_all", "targets_all", "weights_all", "lengths_all", "scale", "back_all", "seen"),
    *("state_all", "traces_all", "gradient_all", "readout_all", "losses_all"),
)
"""The arguments of the program. A job is a sequence."""


class LearningEmitter(FollowingEmitter):
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
        super().__init__(form, step, found, ABOUT, vector)
        self._found, self._views = found, dict[str, str]()

    def source(self) -> str:
        """Return the source of the program."""
        functions, body = self._stages()
        folds, calls = self._folds()
        traces = self._moves()
        lines = [
            *self._allocate(),
            f"outputs = {OUTPUT}_new[:, :n_O].T",
            *(f"{name} = {kept}" for name, kept in self._views.items()),
            *self._jobs(body + calls, traces, "begin"),
        ]
        contract = "Learn along sequences first to last; see `evorrn.engine.influence.along.Along`."
        return self.program(functions + folds, f"learn({LEARN})", contract, lines)

    # --- Names and memory -----------------------------------------------------------------------------

    def _kept(self) -> dict[str, str]:
        """Return ``{variable: dimension}`` of all values that are kept for every time step of a chunk."""
        graph, kept = self._derivative.graph, super()._kept()
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

    def _allocate(self) -> list[str]:
        """Return the lines that allocate the buffers and the packed weights."""
        found, lines = self._found, super()._allocate()
        dimensions = sorted({part.dimension for part in found.parts})
        lines += [f"none_{variable(d)}_kept = aligned((chunk, 1, {self._padded(d)}), F)" for d in dimensions]
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

    def _loss_of(self, number: int, state: str) -> str:
        """See `FollowingEmitter`."""
        return f"at_step(F, loss_{variable(state)}_kept, step)"

    def _seen(self) -> list[str]:
        """Return the states of parts that the readout sees."""
        used = {name for part in self._found.parts for name in part.states}
        return [name for name in self._found.seen if name in used]

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
