"""The step of a whole network as one graph: stacked layers, readout, direct and feedback connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evorrn.compile.adjoint import AdjointGraph, adjoint
from evorrn.compile.blocks import BIAS, INPUT, OTHER, READOUT, RECURRENT, Block
from evorrn.compile.grammar import Cell
from evorrn.compile.graph import Builder, Graph
from evorrn.compile.ops import LEAVES, Shape
from evorrn.compile.schedule import group_products
from evorrn.compile.verify import verify

OUTPUT = "y"
"""Name of the network's output, and of the leaf that holds its last value."""


@dataclass(frozen=True, eq=False)
class Step:
    """One time step of a network.

    Attributes
    ----------
    graph : Graph
        Inputs ``x``, the states as ``layer0.h`` and so on, and ``y``, the last output; outputs are the new
        states under the same names, and ``y``.
    states : dict of str to str
        ``{name: dimension}`` of everything carried to the next step; with ``y`` where it is read.
    blocks : tuple of Block
        What lies one after the other in a genome.
    options : dict of str to str
        ``{"layer0.leak": "leak"}``: the numeric options, and what their cell calls them.
    hidden : str
        The state that is the output of the last layer.
    dimensions : tuple of str
        Symbolic dimensions whose sizes a program is given; others are sums of these.
    """

    graph: Graph
    states: dict[str, str]
    blocks: tuple[Block, ...]
    options: dict[str, str]
    hidden: str
    dimensions: tuple[str, ...]

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """Symbolic shapes of the blocks by name, in the order of the genome."""
        return {block.name: block.shape for block in self.blocks}

    @property
    def feeds_back(self) -> bool:
        """Whether the last output is read by the step."""
        return OUTPUT in self.states

    @cached_property
    def adjoint(self) -> AdjointGraph:
        """The adjoint of the step, grouped for the tile kernels.

        Its inputs ``d.output`` and ``d.next.<state>`` hold the gradients of the output and of the new states;
        its outputs are the gradients of the old states.
        """
        seeds = {f"d.next.{name}": name for name in self.states}
        derived = adjoint(self.graph, {**seeds, "d.output": OUTPUT}, self.states)
        terms = {str(k): node for k, (_, node) in enumerate(derived.parameter_terms)}
        graph, new = group_products(derived.graph, terms)
        builder = Builder(graph)
        # Everything wanted must be computed somewhere: a leaf, or a node wanted twice, is copied.
        outputs: dict[str, int] = {}
        for name, index in graph.outputs.items():
            outputs[name] = _own(builder, index, set(outputs.values()))
        renamed = []
        for name, index in derived.parameter_terms:
            renamed.append((name, self._time_series(builder, new[index])))
        whole = verify(builder.graph(outputs), self.graph, [node for _, node in renamed])
        return AdjointGraph(whole, tuple(renamed))

    def _time_series(self, builder: Builder, index: int) -> int:
        """Return a gradient term whose operands are kept over a block of time steps."""
        node = builder.nodes[index]
        if node.op == "outer":
            left, right = (self._series(builder, operand) for operand in node.operands)
            return builder.apply("outer", left, right)
        return self._series(builder, index)

    def _series(self, builder: Builder, index: int) -> int:
        node = builder.nodes[index]
        short_lived = node.op == "parameter" or (node.op == "input" and node.name.startswith("d.next."))
        return builder.apply("identity", index) if short_lived else index


def compose(
    cells: Sequence[Cell],
    activations: Sequence[Mapping[str, str]],
    *,
    direct: bool,
    feedback: bool,
    biases: bool = True,
) -> Step:
    """Put layers and a linear readout together.

    Parameters
    ----------
    cells : sequence of Cell
        One for each layer.
    activations : sequence of mapping
        Activation options of each layer.
    direct : bool
        Whether the readout also sees the network's input.
    feedback : bool
        Whether the first layer's input has the last output below it.
    biases : bool
        Without them the readout has none, and every vector parameter of a cell that is nothing but a summand
        is left out, of equations and parameters alike.
    """
    builder = Builder()
    inputs = builder.leaf("input", "x", ("I",))
    sees_output = feedback or any(cell.sees_output for cell in cells)
    last_output = builder.leaf("input", OUTPUT, ("O",)) if sees_output else None
    signal = inputs
    if feedback:
        assert last_output is not None
        signal = builder.apply("concatenate", inputs, last_output)
    states: dict[str, str] = {}
    blocks: list[Block] = []
    options: dict[str, str] = {}
    results: dict[str, int] = {}
    for layer, (cell, functions) in enumerate(zip(cells, activations)):
        prefix = f"layer{layer}."
        rename = {"I": builder.shape(signal)[0], "H": f"H{layer}", "O": "O"}
        graph = cell.graph(functions)
        vanishing = _vanishing(graph)
        added = {graph.nodes[index].name for index in vanishing}
        absent = set() if biases else vanishing
        for name, shape in cell.parameters.items():
            if biases or name not in added:
                renamed = tuple(rename[d] for d in shape)
                role = _role(cell, name, name in added)
                blocks.append(Block(layer, name, renamed, role, cell.initial[name]))
        states.update({prefix + name: rename[dimension] for name, dimension in cell.state.items()})
        options.update({prefix + name: name for name in cell.options})
        new = _inline(builder, graph, absent, prefix, rename, signal)
        results.update(new)
        signal = new[prefix + next(iter(cell.state))]
    hidden = f"layer{len(cells) - 1}.{next(iter(cells[-1].state))}"
    readout = [Block(None, "W", ("O", f"H{len(cells) - 1}"), READOUT, "glorot")]
    output = builder.apply("matvec", _leaf(builder, readout[0]), signal)
    if direct:
        readout.append(Block(None, "W_x", ("O", "I"), READOUT, "glorot"))
        output = builder.apply("add", output, builder.apply("matvec", _leaf(builder, readout[-1]), inputs))
    if biases:
        readout.append(Block(None, "b", ("O",), BIAS, "zeros"))
        output = builder.apply("add", output, _leaf(builder, readout[-1]))
    results[OUTPUT] = output
    if sees_output:
        states[OUTPUT] = "O"
    graph, new_index = group_products(builder.graph(results))
    builder = Builder(graph)
    outputs: dict[str, int] = {}
    for name in results:
        outputs[name] = _own(builder, new_index[results[name]], set(outputs.values()))
    dimensions = ("I", "O", *(f"H{layer}" for layer in range(len(cells))))
    return Step(verify(builder.graph(outputs)), states, (*blocks, *readout), options, hidden, dimensions)


def _leaf(builder: Builder, block: Block) -> int:
    return builder.leaf("parameter", block.name, block.shape)


def _role(cell: Cell, parameter: str, only_added: bool) -> str:
    """Return the role of a parameter of a cell, see `Block`."""
    if parameter in cell.recurrent:
        return RECURRENT
    if parameter in cell.input:
        return INPUT
    return BIAS if only_added else OTHER


def _own(builder: Builder, index: int, taken: set[int]) -> int:
    """Return a node of its own for a result: not a leaf, and not another result's node."""
    copied = builder.nodes[index].op in LEAVES
    while copied or index in taken:
        index, copied = builder.apply("identity", index), False
    return index


def _vanishing(graph: Graph) -> set[int]:
    """Return the nodes of a cell that are zero without biases: vector parameters that are only ever added, and sums of them."""
    nodes = graph.nodes
    biases = {k for k, node in enumerate(nodes) if node.op == "parameter" and len(node.shape) == 1}
    while True:
        zero = set(biases)
        needed = set()
        for index, node in enumerate(nodes):
            absent = [operand for operand in node.operands if operand in zero]
            if node.op == "add" and len(absent) == 2:
                zero.add(index)
            elif absent:
                others = [operand for operand in node.operands if operand not in zero]
                if node.op != "add" or nodes[others[0]].shape != node.shape:
                    needed.update(absent)
        needed.update(zero.intersection(graph.outputs.values()))
        if not needed:
            return zero
        biases.difference_update(graph.reachable(needed))


def _inline(
    builder: Builder, graph: Graph, absent: set[int], prefix: str, rename: Mapping[str, str], signal: int
) -> dict[str, int]:
    """Add a cell's graph, less the nodes that are absent, under a layer's names; return its new states."""
    new: list[int] = []
    for index, node in enumerate(graph.nodes):
        left = [new[operand] for operand in node.operands if operand not in absent]
        if index in absent:
            new.append(-1)
        elif len(left) < len(node.operands):  # a sum with a bias that is absent is its other term
            new.append(left[0])
        elif node.op == "input" and node.name == "x":
            new.append(signal)
        elif node.op == "constant":
            new.append(builder.constant(node.value))
        elif node.op in LEAVES:
            name = node.name if node.op == "input" and node.name == OUTPUT else prefix + node.name
            new.append(builder.leaf(node.op, name, tuple(rename[d] for d in node.shape)))
        else:
            new.append(builder.apply(node.op, *left))
    return {prefix + name: new[index] for name, index in graph.outputs.items()}
