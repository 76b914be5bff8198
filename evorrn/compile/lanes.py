"""Emitted programs with the sequences of a batch as lanes: forward, and loss with gradient.

A program runs tiles of lanes under one genome each, weights broadcast. Its buffers are (rows, lanes).
"""

from __future__ import annotations

from evorrn.compile.emit import Names, StageWriter, size, variable
from evorrn.compile.plan import Schedule, kept_for_adjoint, schedule
from evorrn.compile.step import OUTPUT, Step

HEADER = '''"""{title}"""

import numpy as np
from numba import njit

from evorrn.kernels.activations import (
    elu, elu_slope, exp, leaky_relu, leaky_slope, relu, selu, selu_slope, sigmoid, softplus, step, swish, tanh,
)
from evorrn.kernels.lanes import (
    at, block, clear, close_loop, copy, copy_vector, entries, flat, join, matrix, select_lanes, set_aside, take,
)
from evorrn.kernels.losses import {loss}, {loss}_gradient
from evorrn.kernels.separate import SeparateArrays
from evorrn.kernels.tiles import affine, outer

F = np.{dtype}
LOOP = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True, pipeline_class=SeparateArrays)
TILE = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True)
BLOCK = {block}  # time steps whose outer products are added in one go'''

BLOCK = 16


class LanesEmitter:
    """Emits the programs of one step for one dtype and loss.

    Parameters
    ----------
    step : Step
    title : str
        What the network is, for the reader.
    dtype : str
        ``"float32"`` or ``"float64"``.
    loss : str
        Name of the loss kernel.
    """

    def __init__(self, step: Step, title: str, dtype: str, loss: str) -> None:
        self.step = step
        self.title = title
        self.dtype = dtype
        self.loss = loss
        self.graph = step.graph
        self.new = {index: f"{variable(name)}_new" for name, index in step.graph.outputs.items()}
        leaves = {index: variable(node.name) for index, node in enumerate(self.graph.nodes) if node.name}
        leaves.update({self.graph.leaves("input")["x"]: "x_t"})
        self.names = Names(self.graph, {**leaves, **self.new})
        self.plan = schedule(self.graph, self.graph.outputs.values())

    def forward(self) -> str:
        """Return the source of the forward program: losses, outputs, states and the last state."""
        writer = StageWriter(self.graph, self.step, self.names, "loop", rowwise=True)
        functions, calls = writer.write(self.plan)
        states = self.step.states
        body = [
            *self._unpack_parameters("genome", ""),
            *self._allocate(self.plan, set()),
            *self._two_slots(),
            "closed = np.empty((n_I, n_lanes), F)",
            "total = np.zeros(n_lanes, np.float64)",
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
        inner += [f"{self.loss}({OUTPUT}_new, at(targets, t), at(weights, t), total)"]
        inner += ["if outputs.shape[0] > 0:", f"    copy(at(outputs, t), {OUTPUT}_new)"]
        inner += ["if t >= shortest:"]
        inner += [f"    select_lanes({variable(name)}_new, {variable(name)}, lengths, t)" for name in states]
        inner += ["if hidden.shape[0] > 0:", f"    copy(at(hidden, t), {variable(self.step.hidden)}_new)"]
        body += ["    " + line for line in inner]
        body += self._save_states("slots[longest & 1]")
        body += ["copy_vector(losses, total)"]
        arguments = (
            "first, last, genomes, options, sizes, offsets, x_all, targets_all, weights_all, lengths_all, spans, "
            "free_from_all, teacher_all, state_all, outputs_all, hidden_all, last_state_all, losses_all"
        )
        lines = [self._header(), *functions, "", "", "@njit(**TILE)", f"def forward({arguments}):"]
        lines += [
            '    """Run jobs first to last, each one genome on one tile."""',
            *_indent(self._per_tile(_FORWARD_JOB, body)),
        ]
        return "\n".join([*lines, ""])

    def gradient(self) -> str:
        """Return the source of the gradient program: recording forward, then the adjoint."""
        derived = self.step.adjoint
        graph = derived.graph
        forward_count = len(self.graph.nodes)
        assert graph.nodes[:forward_count] == self.graph.nodes, (
            "the adjoint must leave the forward nodes in place"
        )
        operands: list[int] = []
        for _, term in derived.parameter_terms:
            node = graph.nodes[term]
            operands += list(node.operands) if node.op == "outer" else [term]
        wanted = [*graph.outputs.values(), *operands]
        adjoint_nodes = graph.reachable(wanted, range(forward_count))
        kept = kept_for_adjoint(graph, forward_count, adjoint_nodes, operands) | {self.graph.outputs[OUTPUT]}
        # A new state is on the tape anyway, as the old state of the next time step.
        states = {self.graph.outputs[name]: name for name in self.step.states}
        taped = sorted(index for index in kept if index not in states)
        record_plan = schedule(self.graph, [*self.graph.outputs.values(), *taped])
        adjoint_plan = schedule(graph, wanted, available=kept)
        ring = {
            index for index in operands if index >= forward_count and graph.nodes[index].op not in ("input",)
        }

        record = StageWriter(self.graph, self.step, self.names, "record", rowwise=True)
        record_functions, record_calls = record.write(record_plan)
        old = {graph.outputs[name]: f"d_{variable(name)}" for name in graph.outputs}
        leaves = {index: variable(node.name) for index, node in enumerate(graph.nodes) if node.name}
        leaves.update({graph.leaves("input")["x"]: "x_t"})
        names = Names(graph, {**leaves, **self.new, **old})
        back = StageWriter(graph, self.step, names, "adjoint", rowwise=True)
        back_functions, back_calls = back.write(adjoint_plan)

        body = [*self._unpack_parameters("genome", ""), *self._unpack_parameters("gradient", "g_")]
        body += [
            "segment = min(segment, longest)",
            "count = (longest + segment - 1) // segment",
            "total = np.zeros(n_lanes, np.float64)",
            "ones = np.ones((BLOCK, 1, n_lanes), F)",
        ]
        body += [f"{self.names[i]}_tape = np.empty((segment, {self._rows(i)}, n_lanes), F)" for i in taped]
        body += self._allocate(record_plan, set(taped) | set(states))
        for name, dimension in self.step.states.items():
            v = variable(name)
            body += [
                f"{v}_tape = np.empty((segment + 1, {size(dimension)}, n_lanes), F)",
                f"{v}_starts = np.empty((count, {size(dimension)}, n_lanes), F)",
                f"{v}_aside = np.empty(({size(dimension)}, n_lanes), F)",
                f"d_{v}_slots = np.zeros((2, {size(dimension)}, n_lanes), F)",
            ]
        body += self._load_states("starts[0]")
        body += [
            f"{names[i]}_ring = np.empty((BLOCK, {size(graph.nodes[i].shape[0])}, n_lanes), F)"
            for i in sorted(ring)
        ]
        body += [
            f"{names[i]} = np.empty(({size(graph.nodes[i].shape[0])}, n_lanes), F)"
            for i in sorted(adjoint_plan.stored - ring - set(old))
        ]
        body += ["d_outputs = np.empty((segment, n_O, n_lanes), F)"]
        # Forward once without looking back, when there are several segments, to know where each begins.
        body += ["for part in range(2 * count - 1):"]
        inner = ["s = part if part < count else 2 * count - 2 - part"]
        inner += ["t0 = s * segment", "steps = min(segment, longest - t0)"]
        inner += [f"copy({variable(n)}_tape[0], {variable(n)}_starts[s])" for n in self.step.states]
        inner += ["for k in range(steps):"]
        inner += ["    " + line for line in self._record_step(taped, record_calls)]
        inner += ["if part < count - 1:"]
        inner += [
            f"    copy({variable(n)}_starts[s + 1], {variable(n)}_tape[steps])" for n in self.step.states
        ]
        inner += ["    continue"]
        inner += ["if s == count - 1:"]
        inner += ["    " + line for line in self._save_states("tape[steps]")]
        output_tape = f"{OUTPUT}_outputs" if self.step.feeds_back else f"{OUTPUT}_new_tape"
        inner += [
            "for k in range(steps):",
            "    t = t0 + k",
            "    if output_gradient.shape[0] > 0:",
            "        copy(at(d_outputs, k), at(output_gradient, t))",
            "    else:",
            f"        {self.loss}(at({output_tape}, k), at(targets, t), at(weights, t), total)",
            f"        {self.loss}_gradient(at({output_tape}, k), at(targets, t), at(weights, t), scale, at(d_outputs, k))",
            "for k in range(steps - 1, -1, -1):",
        ]
        inner += ["    " + line for line in self._adjoint_step(taped, sorted(ring), back_calls, names)]
        inner += ["    if t % BLOCK == 0:"]
        inner += ["        many = min(BLOCK, steps - k)"]
        inner += ["        " + line for line in self._add_products(names, ring)]
        body += ["    " + line for line in inner]
        body += ["copy_vector(losses, total)"]
        if self.step.feeds_back:
            where = body.index("d_outputs = np.empty((segment, n_O, n_lanes), F)")
            body.insert(where, f"{OUTPUT}_outputs = np.empty((segment, n_O, n_lanes), F)")
        arguments = (
            "first, last, genome, options, sizes, offsets, x_all, targets_all, weights_all, lengths_all, spans, "
            "teacher_all, state_all, output_gradient_all, scale, segment, gradients, last_state_all, losses_all"
        )
        lines = [self._header(), *record_functions, *back_functions, "", "", "@njit(**TILE)"]
        lines += [f"def gradient({arguments}):"]
        lines += [
            '    """Run tiles first to last; each has a gradient of its own, added up in order afterwards."""'
        ]
        lines += _indent(self._per_tile(_GRADIENT_JOB, body))
        return "\n".join([*lines, ""])

    def tape_rows(self) -> tuple[str, ...]:
        """Return the dimension of every tape that the gradient program keeps, for its memory."""
        derived = self.step.adjoint
        graph, count = derived.graph, len(self.graph.nodes)
        operands = [o for _, term in derived.parameter_terms for o in (graph.nodes[term].operands or (term,))]
        adjoint_nodes = graph.reachable([*graph.outputs.values(), *operands], range(count))
        kept = kept_for_adjoint(graph, count, adjoint_nodes, operands)
        return (*(self.graph.nodes[index].shape[0] for index in kept), *self.step.states.values(), "O", "O")

    def _record_step(self, taped: list[int], calls: list[str]) -> list[str]:
        lines = ["t = t0 + k", "x_t = at(x, t)"]
        for name in self.step.states:
            lines += [
                f"{variable(name)} = at({variable(name)}_tape, k)",
                f"{variable(name)}_new = at({variable(name)}_tape, k + 1)",
            ]
        if self.step.feeds_back:
            lines += ["if teacher.shape[0] > 0:", f"    copy({OUTPUT}, at(teacher, t))"]
        lines += [f"{self.names[index]} = at({self.names[index]}_tape, k)" for index in taped]
        lines += calls
        if self.step.feeds_back:
            lines += [f"copy(at({OUTPUT}_outputs, k), {OUTPUT}_new)"]
        lines += ["if t >= shortest:"]
        lines += [
            f"    select_lanes({variable(name)}_new, {variable(name)}, lengths, t)"
            for name in self.step.states
        ]
        return lines

    def _adjoint_step(self, taped: list[int], ring: list[int], calls: list[str], names: Names) -> list[str]:
        lines = [
            "t = t0 + k",
            "now, old = t & 1, 1 - (t & 1)",
            "x_t = at(x, t)",
            "d_output = at(d_outputs, k)",
        ]
        for name in self.step.states:
            v = variable(name)
            lines += [
                f"{v} = at({v}_tape, k)",
                f"{v}_new = at({v}_tape, k + 1)",
                f"d_next_{v} = at(d_{v}_slots, now)",
                f"d_{v} = at(d_{v}_slots, old)",
            ]
        lines += [f"{self.names[index]} = at({self.names[index]}_tape, k)" for index in taped]
        lines += [f"{names[index]} = at({names[index]}_ring, t % BLOCK)" for index in ring]
        lines += ["if t >= shortest:"]
        lines += [
            f"    set_aside(d_next_{variable(n)}, {variable(n)}_aside, lengths, t)" for n in self.step.states
        ]
        lines += calls
        for name in self.step.states:
            if name not in self.step.adjoint.graph.outputs:
                lines.append(f"clear(d_{variable(name)})")
        if self.step.feeds_back:
            lines += ["if teacher.shape[0] > 0:", f"    clear(d_{OUTPUT})"]
        lines += ["if t >= shortest:"]
        lines += [
            f"    select_lanes(d_{variable(n)}, {variable(n)}_aside, lengths, t)" for n in self.step.states
        ]
        return lines

    def _add_products(self, names: Names, ring: set[int]) -> list[str]:
        graph = self.step.adjoint.graph

        def series(index: int) -> str:
            node = graph.nodes[index]
            if index in ring:
                return f"block({names[index]}_ring, 0, many)"
            if node.op == "input" and node.name == "x":
                return "block(x, t, many)"
            if node.op == "input" and node.name == "d.output":
                return "block(d_outputs, k, many)"
            if node.op == "input":
                return f"block({variable(node.name)}_tape, k, many)"
            for name, new in self.graph.outputs.items():
                if index == new and name in self.step.states:
                    return f"block({variable(name)}_tape, k + 1, many)"
            return f"block({self.names[index]}_tape, k, many)"

        lines = []
        for name, term in self.step.adjoint.parameter_terms:
            node = graph.nodes[term]
            target = f"g_{variable(name)}"
            if node.op == "outer":
                lines.append(f"outer({target}, {series(node.operands[0])}, {series(node.operands[1])})")
            else:
                column = f"matrix(gradient, offsets, {list(self.step.parameters).index(name)}, {size(node.shape[0])}, 1)"
                lines.append(f"outer({column}, {series(term)}, block(ones, 0, many))")
        return lines

    def _per_tile(self, job: list[str], body: list[str]) -> list[str]:
        return [*self._unpack_sizes(), "for job in range(first, last):", *_indent([*job, *body])]

    def _header(self) -> str:
        return HEADER.format(title=self.title, loss=self.loss, dtype=self.dtype, block=BLOCK)

    def _rows(self, index: int) -> str:
        return size(self.graph.nodes[index].shape[0])

    def _unpack_sizes(self) -> list[str]:
        lines = [f"{size(name)} = sizes[{k}]" for k, name in enumerate(self.step.dimensions)]
        joined = {d for node in self.step.adjoint.graph.nodes for d in node.shape if "+" in d}
        for dimension in sorted(joined):
            lines.append(f"{size(dimension)} = {' + '.join(size(part) for part in dimension.split('+'))}")
        return [*lines, "n_lanes = x_all.shape[3]"]

    def _unpack_parameters(self, source: str, prefix: str) -> list[str]:
        lines = []
        for k, (name, shape) in enumerate(self.step.parameters.items()):
            view = f"entries({source}, offsets, {k})"
            if len(shape) == 2:
                view = f"matrix({source}, offsets, {k}, {size(shape[0])}, {size(shape[1])})"
            lines.append(f"{prefix}{variable(name)} = {view}")
        return lines

    def _allocate(self, plan: Schedule, elsewhere: set[int]) -> list[str]:
        outside = elsewhere | {self.graph.outputs[name] for name in self.step.states}
        return [
            f"{self.names[index]} = np.zeros(({self._rows(index)}, n_lanes), F)"
            for index in sorted(plan.stored - outside)
        ]

    def _two_slots(self) -> list[str]:
        lines = []
        for name, dimension in self.step.states.items():
            lines.append(f"{variable(name)}_slots = np.empty((2, {size(dimension)}, n_lanes), F)")
        return [*lines, *self._load_states("slots[0]")]

    def _load_states(self, place: str) -> list[str]:
        lines, start = [], "0"
        for name, dimension in self.step.states.items():
            stop = f"{start} + {size(dimension)}" if start != "0" else size(dimension)
            lines.append(f"copy({variable(name)}_{place}, state[{start} : {stop}])")
            start = stop
        return lines

    def _save_states(self, place: str) -> list[str]:
        lines, start = ["if last_state.shape[0] > 0:"], "0"
        for name, dimension in self.step.states.items():
            stop = f"{start} + {size(dimension)}" if start != "0" else size(dimension)
            lines.append(f"    copy(last_state[{start} : {stop}], {variable(name)}_{place})")
            start = stop
        return lines


_FORWARD_JOB = [
    "p, q = job // x_all.shape[0], job % x_all.shape[0]",
    "genome, x, targets, weights = genomes[p], x_all[q], targets_all[q], weights_all[q]",
    "lengths, free_from, teacher, state = lengths_all[q], free_from_all[q], teacher_all[q], state_all[q]",
    "outputs, hidden, last_state = outputs_all[q], hidden_all[q], last_state_all[q]",
    "shortest, longest, first_free = spans[q, 0], spans[q, 1], spans[q, 2]",
    "losses = losses_all[p, q]",
]

_GRADIENT_JOB = [
    "x, targets, weights, lengths = x_all[job], targets_all[job], weights_all[job], lengths_all[job]",
    "teacher, state, output_gradient = teacher_all[job], state_all[job], output_gradient_all[job]",
    "gradient, last_state, losses = gradients[job], last_state_all[job], losses_all[job]",
    "shortest, longest = spans[job, 0], spans[job, 1]",
]


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
