"""The time step of a whole network as one graph: stacked layers, readout, direct and feedback connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce

from evorrn.compile.adjoint import AdjointGraph, adjoint
from evorrn.compile.biases import bias_nodes
from evorrn.compile.blocks import BIAS, INPUT, OTHER, READOUT, RECURRENT, Block
from evorrn.compile.cell import Cell
from evorrn.compile.graph import Builder, Graph
from evorrn.compile.inlining import OUTPUT as OUTPUT
from evorrn.compile.inlining import inline, renamed_shape
from evorrn.compile.op import WEIGHTS, Shape
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.predecessors import THERE
from evorrn.compile.prologue import Prologue, split
from evorrn.compile.schedule import group_products
from evorrn.compile.verify import verify

INPUT_NAME = "x"
"""Name of the input of the network."""
HIDDEN = "hidden"
"""Name of the result that holds what the readout sees, where this is no state."""
PLAIN = ("matvec", "matvec_transposed", "concatenate")
"""The operations on whole vectors that every layout has."""


@dataclass(frozen=True, eq=False)
class Step:
    """One time step of a network.

    Attributes
    ----------
    graph : Graph
        Its inputs are ``x``, the states (``layer0.h`` and so on) and ``y``, the previous output; its outputs are
        the new states under the same names, and ``y``.
    states : dict of str to tuple of str
        ``{name: dimensions}`` of all states, and of ``y`` if the step reads the previous output.
    blocks : tuple of Block
        The blocks of a genome, in order.
    options : dict of str to str
        ``{"layer0.leak": "leak"}``: the numeric options, and their names in the cell.
    hidden : str
        Name of the result that the readout sees: the first state of the last layer, or ``"hidden"`` for several states
        or layers one after the other.
    named : dict of str to int
        ``{"layer0.f": node}``: the nodes of the names that the equations of the cells assign to.
    dimensions : tuple of str
        Names whose sizes a program receives; the dimensions of the graph are made of these.
    signals : tuple of str
        The dimension of the output of each layer.
    fixed : dict of str to tuple of str
        Symbolic shapes of the arrays that are not trained, by name.
    start : dict of str to float
        The first value of the states that do not begin with 0.
    prologue : Prologue or None
        The derived weights, which are parameters of `graph`.
    noise : dict of str to tuple of str
        Symbolic shapes of the noise that is further input, after ``x``; empty where it is zero, an array among `fixed`.
    predecessors : dict of str to (int, str)
        ``{"layer0.left.h": (0, "layer0.h")}``: the inputs of linked steps that are read from predecessors, with the
        number of the link and the name of the state; the name is empty where the input says whether there is one.
        Empty for a chain of steps, whose inputs have the names of the states.
    """

    graph: Graph
    states: dict[str, Shape]
    blocks: tuple[Block, ...]
    options: dict[str, str]
    hidden: str
    named: dict[str, int]
    dimensions: tuple[str, ...]
    signals: tuple[str, ...]
    fixed: dict[str, Shape]
    start: dict[str, float]
    prologue: Prologue | None
    noise: dict[str, Shape]
    predecessors: dict[str, tuple[int, str]]

    @property
    def arity(self) -> int:
        """The number of predecessors of a step, 0 for a chain."""
        return 1 + max((link for link, _ in self.predecessors.values()), default=-1)

    @property
    def sources(self) -> list[str]:
        """The inputs that hold states: those before a time step, or those of predecessors."""
        return [name for name, (_, state) in self.predecessors.items() if state] or list(self.states)

    @cached_property
    def weights(self) -> dict[str, Shape]:
        """Symbolic shapes of all weights in the order in which a program has them.

        These are the blocks of the genome, derived weights, and the arrays that are not trained.
        """
        derived = self.prologue.shapes if self.prologue else {}
        read = self.graph.leaves("fixed")
        return {**self.parameters, **derived, **{n: s for n, s in self.fixed.items() if n in read}}

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """Symbolic shapes of the blocks by name, in the order of the genome."""
        return {block.name: block.shape for block in self.blocks}

    @property
    def width(self) -> str:
        """The symbolic dimension of what the readout sees, without the input."""
        return self.graph.nodes[self.graph.outputs[self.hidden]].shape[0]

    @property
    def plain(self) -> bool:
        """Whether all values are vectors of units, inputs and outputs, and all operations elementwise or products."""
        if self.noise or self.predecessors:
            return False
        names = {*self.dimensions[: 2 + len(self.signals)]}
        for node in self.graph.nodes:
            weight = node.op in WEIGHTS and len(node.shape) == 2
            if not {part for d in node.shape for part in d.split("+")} <= names or not (
                len(node.shape) < 2 or weight
            ):
                return False
            if node.op not in LEAVES and OPS[node.op].emit is None and node.op not in PLAIN:
                return False
        return True

    @property
    def feeds_back(self) -> bool:
        """Whether the step reads the previous output."""
        return OUTPUT in self.states

    @cached_property
    def adjoint(self) -> AdjointGraph:
        """The adjoint of the step, with sums reordered by `group_products`.

        Its inputs ``d.output`` and ``d.next.<state>`` hold the gradients with respect to the output and the new
        states; its outputs are the gradients with respect to the old states, or those of predecessors.
        """
        return self._derived(self.sources)

    @cached_property
    def adjoint_with_input(self) -> AdjointGraph:
        """The adjoint of the step, whose outputs have also the gradient with respect to the input, ``"x"``."""
        return self._derived([*self.sources, INPUT_NAME])

    def _derived(self, wanted: Iterable[str]) -> AdjointGraph:
        seeds = {f"d.next.{name}": name for name in self.states}
        derived = adjoint(self.graph, {**seeds, "d.output": OUTPUT}, wanted)
        terms = {str(k): node for k, (_, node) in enumerate(derived.parameter_terms)}
        graph, new = group_products(derived.graph, terms)
        builder = Builder(graph)
        outputs: dict[str, int] = {}
        for name, index in graph.outputs.items():
            outputs[name] = result_node(builder, index, set(outputs.values()))
        renamed = []
        for name, index in derived.parameter_terms:
            renamed.append((name, self._time_series(builder, new[index])))
        whole = verify(builder.graph(outputs), self.graph, [node for _, node in renamed])
        return AdjointGraph(whole, tuple(renamed))

    def _time_series(self, builder: Builder, index: int) -> int:
        """Return a gradient term whose operands can be stored for several time steps."""
        node = builder.nodes[index]
        if node.op == "outer":
            left, right = (self._series(builder, operand) for operand in node.operands)
            return builder.apply("outer", left, right)
        return self._series(builder, index)

    def _series(self, builder: Builder, index: int) -> int:
        """Return a node that is stored for several time steps: a copy of a parameter or of a new state's gradient."""
        node = builder.nodes[index]
        copied = node.op == "parameter" or (node.op == "input" and node.name.startswith("d.next."))
        return builder.apply("identity", index) if copied else index


def compose(
    cells: Sequence[Cell],
    activations: Sequence[Mapping[str, str]],
    *,
    direct: bool,
    feedback: bool,
    biases: bool = True,
    reads: str = "last",
    learn_start: bool = False,
    noisy: bool = False,
) -> Step:
    """Return the step of stacked layers under a linear readout.

    Without a cell it is the readout alone.

    Parameters
    ----------
    cells : sequence of Cell
        One for each layer.
    activations : sequence of mapping
        Activation options of each layer.
    direct : bool
        Whether the readout also sees the input of the network.
    feedback : bool
        Whether the input of the first layer is the network's input followed by its previous output.
    biases : bool
        Whether there are biases. If not, the readout has no bias, and every vector parameter of a cell that is only
        added is left out of the equations and the blocks.
    reads : str
        ``"last"``: the readout sees the last layer; ``"all"``: it sees all layers, the first one first; ``"none"``: there is
        no readout, and the output is that of the last layer.
    learn_start : bool
        Whether the first values of the states are blocks of the genome, ``"layer0.start.h"``. The states of the step
        are then what the states of the cells have more than these.
    noisy : bool
        Whether the noise of the cells is further input; if not, it is zero.
    """
    builder = Builder()
    inputs = builder.leaf("input", INPUT_NAME, ("I",))
    sees_output = feedback or any(cell.sees_output for cell in cells)
    last_output = builder.leaf("input", OUTPUT, ("O",)) if sees_output else None
    signal = inputs
    if feedback:
        assert last_output is not None
        signal = builder.apply("concatenate", inputs, last_output)
    states: dict[str, Shape] = {}
    start: dict[str, float] = {}
    fixed: dict[str, Shape] = {}
    noise: dict[str, Shape] = {}
    further: list[str] = []
    blocks: list[Block] = []
    options: dict[str, str] = {}
    results: dict[str, int] = {}
    named: dict[str, int] = {}
    signals: list[int] = []
    predecessors: dict[str, tuple[int, str]] = {}
    for layer, (cell, functions) in enumerate(zip(cells, activations)):
        prefix = f"layer{layer}."
        rename = {"I": builder.shape(signal)[0], "H": f"H{layer}", "O": "O"}
        rename |= {name: f"{name}{layer}" for name in cell.sizes}
        further += [rename[name] for name in cell.sizes]
        graph = cell.graph(functions) if noisy else _silent(cell.graph(functions), cell.noise)
        zero = bias_nodes(graph)
        added = {graph.nodes[index].name for index in zero}
        absent = set() if biases else zero
        for name, shape in cell.parameters.items():
            if biases or name not in added:
                role = _role(cell, name, name in added)
                blocks.append(Block(layer, name, renamed_shape(shape, rename), role, cell.initial[name]))
        states.update({prefix + name: renamed_shape(shape, rename) for name, shape in cell.states.items()})
        start.update({prefix + name: value for name, value in cell.start.items()})
        fixed.update(
            {prefix + name: renamed_shape(shape, rename) for name, shape in cell.fixed_shapes.items()}
        )
        drawn = {prefix + name: renamed_shape(shape, rename) for name, shape in cell.noise.items()}
        (noise if noisy else fixed).update(drawn)
        options.update({prefix + name: name for name in cell.options})
        for link, name in enumerate(cell.predecessors):
            predecessors |= {f"{prefix}{name}.{state}": (link, prefix + state) for state in cell.state}
            predecessors[f"{prefix}{name}.{THERE}"] = link, ""
        starts = _starts(cell, graph) if learn_start else []
        learned = [
            Block(layer, f"start.{name}", renamed_shape(cell.state[name], rename), OTHER, "zeros")
            for name in starts
        ]
        blocks += learned
        shifts = {name: _leaf(builder, block) for name, block in zip(starts, learned)}
        new, assigned = inline(builder, graph, absent, prefix, (rename, shifts), signal)
        named.update(assigned)
        signal = _output(builder, [new[prefix + name] for name in cell.output])
        new.update({prefix + n: builder.apply("subtract", new[prefix + n], k) for n, k in shifts.items()})
        results.update(new)
        signals.append(signal)
    hidden = f"layer{len(cells) - 1}.{cells[-1].output[0]}" if cells else HIDDEN
    if results.get(hidden) != signal:
        hidden = HIDDEN
    if reads == "all" and len(cells) > 1:
        hidden, signal = HIDDEN, reduce(partial(builder.apply, "concatenate"), signals)
    results[hidden] = signal
    widths = tuple(builder.shape(index)[0] for index in signals)
    results[OUTPUT] = signal
    if reads != "none":
        output, linear = _readout(builder, signal, inputs if direct else None, biases)
        results[OUTPUT] = output
        blocks += linear
    if sees_output:
        states[OUTPUT] = ("O",)
    main, prologue = split(builder.graph(results, named))
    graph, new_index = group_products(main)
    builder = Builder(graph)
    outputs: dict[str, int] = {}
    for name in results:
        outputs[name] = result_node(builder, new_index[main.outputs[name]], set(outputs.values()))
    whole = verify(builder.graph(outputs))
    return Step(
        graph=whole,
        states=states,
        blocks=tuple(blocks),
        options=options,
        hidden=hidden,
        named={name: new_index[index] for name, index in main.named.items()},
        dimensions=("I", "O", *(f"H{layer}" for layer in range(len(cells))), *further),
        signals=widths,
        fixed=fixed,
        start=start,
        prologue=prologue,
        noise=noise,
        predecessors=predecessors,
    )


def _silent(graph: Graph, noise: Mapping[str, Shape]) -> Graph:
    """Return the graph of a cell with its noise among the arrays that are not trained."""
    drawn = {index for name, index in graph.leaves("input").items() if name in noise}
    nodes = (replace(n, op="fixed") if index in drawn else n for index, n in enumerate(graph.nodes))
    return Graph(tuple(nodes), graph.outputs, graph.named)


def _readout(builder: Builder, signal: int, direct: int | None, biases: bool) -> tuple[int, list[Block]]:
    """Return the node of a linear readout of one or two nodes, and its blocks."""
    blocks = [Block(None, "W", ("O", builder.shape(signal)[0]), READOUT, "glorot")]
    output = builder.apply("matvec", _leaf(builder, blocks[0]), signal)
    if direct is not None:
        blocks.append(Block(None, "W_x", ("O", "I"), READOUT, "glorot"))
        output = builder.apply("add", output, builder.apply("matvec", _leaf(builder, blocks[-1]), direct))
    if biases:
        blocks.append(Block(None, "b", ("O",), BIAS, "zeros"))
        output = builder.apply("add", output, _leaf(builder, blocks[-1]))
    return output, blocks


def _output(builder: Builder, states: list[int]) -> int:
    """Return the node of the output of a cell: its states as vectors, one after the other."""
    vectors = [s if len(builder.shape(s)) == 1 else builder.apply("flatten", s) for s in states]
    return reduce(partial(builder.apply, "concatenate"), vectors)


def _leaf(builder: Builder, block: Block) -> int:
    return builder.leaf("parameter", block.name, block.shape)


def _starts(cell: Cell, graph: Graph) -> list[str]:
    """Return the states of a cell whose first values can be learned: all but those that only count time steps."""
    found = []
    for name in cell.state:
        node = graph.nodes[graph.outputs[name]]
        operands = [graph.nodes[index] for index in node.operands]
        counts = node.op == "add" and {operand.op for operand in operands} == {"input", "constant"}
        if not counts or not any(operand.name == name for operand in operands):
            found.append(name)
    return found


def _role(cell: Cell, parameter: str, only_added: bool) -> str:
    """Return the role of a parameter of a cell, see `Block`."""
    if parameter in cell.recurrent:
        return RECURRENT
    if parameter in cell.input:
        return INPUT
    return BIAS if only_added else OTHER


def result_node(builder: Builder, index: int, taken: set[int]) -> int:
    """Return a node with the value of another that can be a result: a copy if it is a leaf or in `taken`."""
    copied = builder.nodes[index].op in LEAVES
    while copied or index in taken:
        index, copied = builder.apply("identity", index), False
    return index
