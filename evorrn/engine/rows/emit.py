"""Emits the forward program whose vector axis holds the units of a layer, for batches of few sequences.

A job is a group of pairs (genome, sequence) that run side by side; buffers have the shape (pairs, units). Only the
kernels of products and the loads of parameters differ from the program whose lanes are sequences.
"""

from __future__ import annotations

from evorrn.compile.op import WEIGHTS
from evorrn.compile.schedule import Affine, Whole
from evorrn.compile.step import OUTPUT
from evorrn.engine.arguments import CONDITIONS, NETWORK, RESULTS, SEQUENCES, Arguments
from evorrn.engine.model import Form
from evorrn.engine.program import ProgramEmitter, indent
from evorrn.engine.stages import StageWriter, equation, size, variable

OPENING = """from evorrn.engine.lanes.kernels import entries, flat, matrix
from {loss} import {functions}
from evorrn.engine.rows.kernels import (
    affine_columns, affine_dots, aligned, hold_rows, join_rows, pack_columns, pack_rows, pack_vector,
)
from evorrn.engine.rows.sparse import add_sparse, compress

VECTOR = {vector}"""

FORWARD = Arguments(
    ("first", "last"), "group", *NETWORK, *SEQUENCES, "free_from_all", *CONDITIONS, *RESULTS, "losses_all"
)
"""The arguments of the forward program. A job is a group of pairs (genome, sequence)."""


class RowsWriter(StageWriter):
    """Writes stages whose products run along the units; those of sparse matrices use only entries that are not 0."""

    sparse: frozenset[str] = frozenset()

    def affine(self, stage: Affine, stored: frozenset[int]) -> list[str]:
        """Return the equation of an affine stage as a comment, and the calls of its kernels."""
        names, target = self.names, self.names[stage.node]
        dimension = self.graph.nodes[stage.node].shape[0]
        parts, sparse = [], []
        for matrix, transposed, vector in stage.terms:
            if self.graph.nodes[matrix].name in self.sparse:
                sparse.append(f"add_sparse({target}[0], {names[matrix]}, {names[vector]}[0])")
            else:
                parts += [names[matrix] + ("_T" if transposed else ""), names[vector]]
        bias = names[stage.bias] if stage.bias is not None else "None"
        comment = f"# {target} = {equation(self.graph, stage.node, stored, names)}"
        rows = size(dimension) if dimension == "O" else f"{target}.shape[1]"
        kernel = "affine_dots" if dimension == "O" else "affine_columns"
        return [comment, f"{kernel}({target}, {bias}, ({', '.join(parts)},), pairs, {rows})", *sparse]

    def whole(self, stage: Whole) -> str:
        """Return the call that puts two vectors one after the other."""
        node, names = self.graph.nodes[stage.node], self.names
        first, second = node.operands
        sizes = [size(self.graph.nodes[operand].shape[0]) for operand in node.operands]
        return f"join_rows({names[stage.node]}, {names[first]}, {sizes[0]}, {names[second]}, {sizes[1]})"


class RowsEmitter(ProgramEmitter):
    """Emits the forward program of a network.

    Parameters
    ----------
    form : Form
    vector : int
        Number of values in one vector register.
    sparse : frozenset of str
        Names of the blocks that run as sparse matrices; a group then has one pair.
    """

    def __init__(self, form: Form, vector: int, sparse: frozenset[str] = frozenset()) -> None:
        functions = ", ".join(["add_loss", *([form.feed] if form.feed else [])])
        opening = OPENING.format(loss=form.loss.module, functions=functions, vector=vector)
        super().__init__(form, ", units as vectors", opening)
        self.sparse = sparse

    def forward(self) -> str:
        """Return the source of the program."""
        writer = RowsWriter(self.graph, self.step, self.names, "loop")
        writer.sparse = self.sparse
        functions, calls = writer.write(self.plan)
        states = self.step.states
        closes_loop = self.feed and not self.step.feeds_back
        body = [
            *self._allocate(),
            "for job in range(first, last):",
            "    start = job * group",
            "    pairs = min(group, genomes.shape[0] * n_B - start)",
            "    longest = 0",
            "    shortest = n_T",
            *(["    first_free = n_T"] if closes_loop else []),
            "    for n in range(group):",
            "        weight[n] = 0",
            "        total[n] = 0",
            "    for n in range(pairs):",
            "        p, b = (start + n) // n_B, (start + n) % n_B",
            "        which[n] = b",
            "        genome = genomes[p]",
            "        lengths[n] = lengths_all[b]",
            "        longest = max(longest, lengths[n])",
            "        shortest = min(shortest, lengths[n])",
            *(["        first_free = min(first_free, free_from_all[b])"] if closes_loop else []),
            *indent(self._pack(), 2),
            "    for t in range(longest):",
            "        now, new = t & 1, 1 - (t & 1)",
        ]
        last = OUTPUT if self.step.feeds_back else f"{OUTPUT}_new"
        inner = []
        for name in states:
            v = variable(name)
            inner += [f"{v} = {v}_slots[now]", f"{v}_new = {v}_slots[new]"]
        inner += [
            "for n in range(pairs):",
            "    b = which[n]",
            "    for k in range(n_I):",
            "        x_t[n, k] = x_all[b, t, k]",
        ]
        inner += [
            "    if t >= free_from_all[b]:",
            "        for k in range(min(n_I, n_O)):",
            f"            x_t[n, k] = {last}[n, k]",
        ]
        if self.step.feeds_back:  # after the loop is closed, which takes the network's own output
            inner += [
                "    if teacher_all.shape[1] > 0 and t < lengths[n]:",
                "        for k in range(n_O):",
                "            given = teacher_all[b, t, k]",
                f"            {OUTPUT}[n, k] = given if given == given else {OUTPUT}[n, k]",
            ]
        inner += [
            "    weight[n] = weights_all[b, t]",
            "    for k in range(target.shape[0]):",
            "        target[k, n] = targets_all[b, t, k]",
        ]
        inner += calls
        inner += [f"add_loss({OUTPUT}_new[:, :n_O].T, target, weight, total)"]
        inner += [
            "if outputs_all.shape[1] > 0:",
            "    for n in range(pairs):",
            "        for k in range(n_O):",
        ]
        inner += [f"            outputs_all[which[n], t, k] = {OUTPUT}_new[n, k]"]
        inner += self.feed_back(f"{OUTPUT}_new[:, :n_O].T")
        inner += ["if t >= shortest:"]
        inner += [f"    hold_rows({variable(n)}_new, {variable(n)}, lengths[:pairs], t)" for n in states]
        hidden = f"{variable(self.step.hidden)}_new"
        inner += ["if hidden_all.shape[1] > 0:", "    for n in range(pairs):"]
        inner += [f"        for k in range({size(self.step.width)}):"]
        inner += [f"            hidden_all[which[n], t, k] = {hidden}[n, k]"]
        body += indent(inner, 2)
        body += ["    for n in range(pairs):", "        p, b = (start + n) // n_B, (start + n) % n_B"]
        body += ["        losses_all[p, b] = total[n]"]
        body += ["        if last_state_all.shape[1] > 0:"]
        body += indent(self._move_states("last_state_all[b, {place}] = {v}_slots[longest & 1, n, k]"), 3)
        contract = "Run jobs first to last, each a group of pairs of a genome and a sequence."
        return self.program(functions, f"forward({FORWARD})", contract, body)

    def _allocate(self) -> list[str]:
        """Return the lines that allocate the buffers and the packed weights."""
        lines = [*self.unpack_sizes(), "n_B, n_T = x_all.shape[0], x_all.shape[1]"]
        dimensions = sorted({d for node in self.graph.nodes for d in node.shape})
        for dimension in dimensions:
            lines.append(f"{self._padded(dimension)} = (({size(dimension)} + VECTOR - 1) // VECTOR) * VECTOR")
        lines += [
            "x_t = aligned((group, wide_I), F)",
            "weight = aligned((group,), F)",
            "target = aligned((targets_all.shape[2], group), F)",
            "lengths = aligned((group,), np.int64)",
            "which = aligned((group,), np.int64)",
            "total = aligned((group,), np.float64)",
        ]
        for name, shape, transposed in self._used_parameters():
            if name in self.sparse:
                continue
            lines.append(self._allocated(name, shape, transposed, "group"))
        outside = {self.graph.outputs[name] for name in self.step.states}
        for index in sorted(self.plan.stored - outside):
            lines.append(
                f"{self.names[index]} = aligned((group, {self._padded(self.graph.nodes[index].shape[0])}), F)"
            )
        for name, (dimension,) in self.step.states.items():
            lines.append(f"{variable(name)}_slots = aligned((2, group, {self._padded(dimension)}), F)")
        return lines

    def _pack(self) -> list[str]:
        """Return the lines that pack the weights and the first state of pair n."""
        lines = self._pack_weights() + self._move_states("{v}_slots[0, n, k] = state_all[b, {place}]")
        if not self.step.feeds_back:
            lines += ["for k in range(n_O):", f"    {OUTPUT}_new[n, k] = 0"]
        return lines

    def _pack_weights(self) -> list[str]:
        """Return the lines that pack the weights of pair n."""
        lines = []
        order = list(self.step.weights)
        for name, shape, transposed in self._used_parameters():
            k, target = order.index(name), self._packed(name, transposed)
            if len(shape) == 1:
                lines.append(f"pack_vector({target}[n], entries(genome, offsets, {k}))")
                continue
            view = f"matrix(genome, offsets, {k}, {size(shape[0])}, {size(shape[1])}){'.T' if transposed else ''}"
            if name in self.sparse:
                # Groups are of one pair; those of one genome follow each other.
                lines += ["if job == first or b == 0:", f"    {target} = compress({view}, VECTOR)"]
                continue
            rows = shape[1] if transposed else shape[0]
            pack = "pack_rows" if rows == "O" else "pack_columns"
            lines.append(f"{pack}({target}[n], {view})")
        return lines

    def _move_states(self, form: str) -> list[str]:
        """Return the lines that copy every state by a statement with fields ``v`` (variable) and ``place`` (index)."""
        lines, start = [], ""
        for name, (dimension,) in self.step.states.items():
            lines += [
                f"for k in range({size(dimension)}):",
                "    " + form.format(v=variable(name), place=f"{start}k"),
            ]
            start += f"{size(dimension)} + "
        return lines

    def can_be_sparse(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return the blocks among `names` that can run as sparse matrices.

        These are the blocks that are not transposed and whose product is added to that of a dense block.
        """
        allowed = set()
        for stage in self.plan.stages:
            if isinstance(stage, Affine):
                blocks = [
                    (self.graph.nodes[matrix].name, transposed) for matrix, transposed, _ in stage.terms
                ]
                chosen = {name for name, transposed in blocks if name in names and not transposed}
                if len(chosen) < len(blocks):
                    allowed |= chosen
        return frozenset(allowed)

    def _used_parameters(self) -> list[tuple[str, tuple[str, ...], bool]]:
        """Return name, shape and whether it is transposed of each parameter that the step reads."""
        used: set[tuple[str, bool]] = set()
        nodes = self.graph.nodes
        for index in self.graph.reachable(self.graph.outputs.values()):
            for operand in nodes[index].operands:
                if nodes[operand].op in WEIGHTS:
                    used.add((nodes[operand].name, nodes[index].op == "matvec_transposed"))
        return [(n, s, t) for n, s in self.step.weights.items() for t in (False, True) if (n, t) in used]

    def _allocated(self, name: str, shape: tuple[str, ...], transposed: bool, genomes: str) -> str:
        """Return the line that allocates the packed weights of a parameter for so many genomes."""
        rows, columns = (shape[::-1] if transposed else shape) if len(shape) > 1 else (*shape, "")
        if not columns:
            sizes = self._padded(rows)
        elif rows == "O":
            sizes = f"n_O, {size(columns)}"
        else:
            sizes = f"{size(columns)}, {self._padded(rows)}"
        return f"{self._packed(name, transposed)} = aligned(({genomes}, {sizes}), F)"

    def _packed(self, name: str, transposed: bool) -> str:
        """Return the variable of the packed weights of a parameter."""
        return variable(name) + ("_T" if transposed else "")

    def _padded(self, dimension: str) -> str:
        """Return the variable of the size of a dimension rounded up to whole vectors."""
        return f"wide_{variable(dimension)}"
