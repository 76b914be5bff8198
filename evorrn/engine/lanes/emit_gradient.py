"""Emits the program of loss and gradient whose lanes are the sequences of a batch.

The program runs forward and stores the values that the adjoint reads ("tape"), then runs the adjoint from the last
time step to the first. To save memory, long sequences are divided into segments: a first forward pass stores only
the state before each segment, and a second one, segment by segment, the tape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from evorrn.compile.schedule import Schedule, kept_for_adjoint, schedule
from evorrn.compile.step import OUTPUT
from evorrn.engine.arguments import CONDITIONS, NETWORK, SEQUENCES, Arguments
from evorrn.engine.lanes.emit import TILES, Buffer, LanesEmitter, views
from evorrn.engine.program import indent
from evorrn.engine.stages import Names, StageWriter, size, variable


@dataclass(frozen=True)
class _Derivative:
    """The schedules of the gradient program, and the nodes that it stores.

    Attributes
    ----------
    taped : list of int
        Forward nodes stored for every time step of a segment, besides the states.
    record, back : Schedule
        The schedules of the forward pass that stores values, and of the adjoint.
    ring : list of int
        Adjoint nodes stored for a block of time steps.
    names : Names
        The variables of the adjoint.
    """

    taped: list[int]
    record: Schedule
    back: Schedule
    ring: list[int]
    names: Names


GRADIENT = Arguments(
    TILES,
    *NETWORK,
    *SEQUENCES,
    *CONDITIONS,
    "spans",
    "output_gradient_all",
    "ones",
    "scale",
    "segment",
    "gradients",
    "last_state_all",
    "losses_all",
)
"""The arguments of the gradient program. A job is one tile."""


class GradientEmitter(LanesEmitter):
    """Emits the forward program, see `LanesEmitter`, and the program of loss and gradient."""

    def gradient(self) -> str:
        """Return the source of the gradient program."""
        derivative = self._derivative
        taped, ring, names = derivative.taped, derivative.ring, derivative.names
        record = StageWriter(self.graph, self.step, self.names, "record", rowwise=True)
        record_functions, record_calls = record.write(derivative.record)
        back = StageWriter(names.graph, self.step, names, "adjoint", rowwise=True)
        back_functions, back_calls = back.write(derivative.back)

        body = [*self._unpack_parameters(), *self._unpack_gradients()]
        body += [
            "count = (longest + segment - 1) // segment",
            *views(self.gradient_buffers),
            *(f"clear(at(d_{variable(name)}_slots, (longest - 1) & 1))" for name in self.step.states),
            *self._load_states("starts"),
        ]
        # With several segments, the first pass stores the state before each segment and runs no adjoint.
        body += ["for part in range(2 * count - 1):"]
        inner = ["s = part if part < count else 2 * count - 2 - part"]
        inner += ["t0 = s * segment", "steps = min(segment, longest - t0)"]
        inner += [f"copy(at({variable(n)}_tape, 0), at({variable(n)}_starts, s))" for n in self.step.states]
        inner += ["for k in range(steps):"]
        inner += indent(self._record_step(taped, record_calls))
        inner += ["if part < count - 1:"]
        inner += [
            f"    copy(at({variable(n)}_starts, s + 1), at({variable(n)}_tape, steps))"
            for n in self.step.states
        ]
        inner += ["    continue"]
        inner += ["if s == count - 1:"]
        inner += indent(self._save_states("tape", "steps"))
        output_tape = f"{OUTPUT}_outputs" if self.step.feeds_back else f"{OUTPUT}_new_tape"
        inner += [
            "for k in range(steps):",
            "    t = t0 + k",
            "    if output_gradient.shape[0] > 0:",
            "        copy(at(d_outputs, k), at(output_gradient, t))",
            "    else:",
            f"        add_loss(at({output_tape}, k), at(targets, t), at(weights, t), losses)",
            f"        loss_gradient(at({output_tape}, k), at(targets, t), at(weights, t), scale, at(d_outputs, k))",
            "for k in range(steps - 1, -1, -1):",
        ]
        inner += indent(self._adjoint_step(taped, ring, back_calls, names))
        inner += ["    if t % BLOCK == 0:"]
        inner += ["        many = min(BLOCK, steps - k)"]
        inner += indent(self._add_products(), 2)
        body += indent(inner)
        contract = "Run tiles first to last; the caller adds the gradients of all tiles in order."
        functions = [*record_functions, *back_functions]
        return self.program(functions, f"gradient({GRADIENT})", contract, self._per_tile(_GRADIENT_JOB, body))

    @cached_property
    def gradient_buffers(self) -> tuple[Buffer, ...]:
        """The buffers of the gradient program, in the order of their offsets."""
        derivative = self._derivative
        graph, names = derivative.names.graph, derivative.names
        placed = {*derivative.ring, *graph.outputs.values()}
        buffers = [Buffer(f"{self.names[i]}_tape", self._rows(i), "segment") for i in derivative.taped]
        buffers += [Buffer("d_outputs", "O", "segment")]
        if self.step.feeds_back:
            buffers += [Buffer(f"{OUTPUT}_outputs", "O", "segment")]
        for name, dimension in self.step.states.items():
            v = variable(name)
            buffers += [
                Buffer(f"{v}_tape", dimension, "segment + 1"),
                Buffer(f"{v}_starts", dimension, "count"),
            ]
            buffers += [Buffer(f"d_{v}_slots", dimension, "2"), Buffer(f"{v}_aside", dimension)]
        buffers += [Buffer(f"{names[i]}_ring", graph.nodes[i].shape[0], "BLOCK") for i in derivative.ring]
        buffers += self._temporaries(derivative.record, derivative.taped)
        stored = sorted(derivative.back.stored - placed)
        buffers += [Buffer(names[i], graph.nodes[i].shape[0]) for i in stored]
        return tuple(buffers)

    @cached_property
    def _derivative(self) -> _Derivative:
        derived = self.step.adjoint
        graph = derived.graph
        forward_count = len(self.graph.nodes)
        operands: list[int] = []
        for _, term in derived.parameter_terms:
            node = graph.nodes[term]
            operands += list(node.operands) if node.op == "outer" else [term]
        wanted = [*graph.outputs.values(), *operands]
        adjoint_nodes = graph.reachable(wanted, range(forward_count))
        kept = kept_for_adjoint(graph, forward_count, adjoint_nodes, operands) | {self.graph.outputs[OUTPUT]}
        # A new state is stored as the old state of the next time step.
        states = {self.graph.outputs[name] for name in self.step.states}
        taped = sorted(kept - states)
        ring = {i for i in operands if i >= forward_count and graph.nodes[i].op != "input"}
        old = {graph.outputs[name]: f"d_{variable(name)}" for name in graph.outputs}
        leaves = {index: variable(node.name) for index, node in enumerate(graph.nodes) if node.name}
        leaves.update({graph.leaves("input")["x"]: "x_t"})
        return _Derivative(
            taped,
            schedule(self.graph, [*self.graph.outputs.values(), *taped]),
            schedule(graph, wanted, available=kept),
            sorted(ring),
            Names(graph, {**leaves, **self.new, **old}),
        )

    def _record_step(self, taped: list[int], calls: list[str]) -> list[str]:
        """Return the lines of a forward time step that stores values on the tape."""
        lines = ["t = t0 + k", "x_t = at(x, t)"]
        for name in self.step.states:
            lines += [
                f"{variable(name)} = at({variable(name)}_tape, k)",
                f"{variable(name)}_new = at({variable(name)}_tape, k + 1)",
            ]
        if self.step.feeds_back:
            lines += ["if teacher.shape[0] > 0:", f"    override({OUTPUT}, at(teacher, t))"]
        lines += [f"{self.names[index]} = at({self.names[index]}_tape, k)" for index in taped]
        lines += calls
        if self.step.feeds_back:
            lines += [f"copy(at({OUTPUT}_outputs, k), {OUTPUT}_new)", *self.feed_back()]
        lines += ["if t >= shortest:"]
        lines += [
            f"    select_lanes({variable(name)}_new, {variable(name)}, lengths, t)"
            for name in self.step.states
        ]
        return lines

    def _adjoint_step(self, taped: list[int], ring: list[int], calls: list[str], names: Names) -> list[str]:
        """Return the lines of a time step of the adjoint."""
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
        if self.step.feeds_back and self.feed:
            lines += [f"{self.feed}_gradient(at({OUTPUT}_outputs, k), d_next_{OUTPUT})"]
        lines += calls
        for name in self.step.states:
            if name not in self.step.adjoint.graph.outputs:
                lines.append(f"clear(d_{variable(name)})")
        if self.step.feeds_back:
            lines += ["if teacher.shape[0] > 0:", f"    clear_overridden(d_{OUTPUT}, at(teacher, t))"]
        lines += ["if t >= shortest:"]
        lines += [
            f"    select_lanes(d_{variable(n)}, {variable(n)}_aside, lengths, t)" for n in self.step.states
        ]
        return lines

    def _add_products(self) -> list[str]:
        """Return the lines that add the outer products of a block of time steps to the gradient."""
        names, ring = self._derivative.names, self._derivative.ring
        graph = names.graph

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

        blocks: dict[str, str] = {}  # each view is made once, since views take long to compile

        def block(view: str) -> str:
            return blocks.setdefault(view, f"block_{len(blocks)}")

        lines = []
        for name, term in self.step.adjoint.parameter_terms:
            node = graph.nodes[term]
            if node.op == "outer":
                left, right = (block(series(operand)) for operand in node.operands)
            else:
                left, right = block(series(term)), block("block(ones, 0, many)")
            lines.append(f"outer(g_{variable(name)}, {left}, {right})")
        return [*(f"{name} = {view}" for view, name in blocks.items()), *lines]

    def _unpack_gradients(self) -> list[str]:
        """Return the lines that assign views of the gradient to variables.

        The gradient of a vector is a matrix of one column: the outer product of its terms with ones.
        """
        lines = []
        for k, (name, shape) in enumerate(self.step.parameters.items()):
            columns = size(shape[1]) if len(shape) == 2 else "1"
            lines.append(f"g_{variable(name)} = matrix(gradient, offsets, {k}, {size(shape[0])}, {columns})")
        return lines


_GRADIENT_JOB = [
    "genome = genomes",
    "x, targets, weights, lengths = at(x_all, job), at(targets_all, job), at(weights_all, job), at(lengths_all, job)",
    "teacher, state, output_gradient = at(teacher_all, job), at(state_all, job), at(output_gradient_all, job)",
    "gradient, last_state, losses = at(gradients, job), at(last_state_all, job), at(losses_all, job)",
    "shortest, longest = spans[job, 0], spans[job, 1]",
]
