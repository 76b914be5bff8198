"""Signal-flow graphs of a cell: its step, the reversal of the step (adjoint) and its tangent, laid out for drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from evorrn.compile.adjoint import adjoint
from evorrn.compile.cell import Cell
from evorrn.compile.graph import Graph
from evorrn.compile.ops import LEAVES
from evorrn.compile.tangent import tangent

SYMBOLS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−1", "identity": "="}
PRODUCTS = ("matvec", "matvec_transposed")
LONGEST = 16
"""Letters of an expression that is written out."""
SWEEPS = 12
"""Passes over the columns that lower the number of crossings."""


@dataclass
class Node:
    """A node of a drawing.

    Attributes
    ----------
    text : str
    kind : str
        ``"signal"`` for what comes in or goes out, ``"gain"`` for a product with a weight, or with a value of the step, ``"weight"`` for the gradient of
        a weight, ``"constant"`` for weights, numbers and values of the step that are no signal here, and ``"op"`` for an operation.
    column, row : float
        Its place.
    """

    text: str
    kind: str
    column: float = 0.0
    row: float = 0.0


@dataclass
class Flow:
    """A signal-flow graph: nodes by key, and arrows between keys.

    Attributes
    ----------
    title : str
    nodes : dict of str to Node
    arrows : list of (str, str)
    leftward : bool
        Whether signals go from right to left.
    """

    title: str
    nodes: dict[str, Node] = field(default_factory=dict)
    arrows: list[tuple[str, str]] = field(default_factory=list)
    leftward: bool = False

    @property
    def columns(self) -> int:
        """The number of columns."""
        return 1 + int(max(node.column for node in self.nodes.values()))

    @property
    def rows(self) -> int:
        """The largest number of nodes in a column."""
        columns = [node.column for node in self.nodes.values()]
        return max(columns.count(column) for column in columns)

    def dot(self) -> str:
        """Return the graph in the language of Graphviz."""
        lines = [f'digraph "{self.title}" {{', "  rankdir=LR;"]
        shapes = {"op": "circle", "gain": "triangle", "weight": "box"}
        for key, node in self.nodes.items():
            lines.append(f'  "{key}" [label="{node.text}", shape={shapes.get(node.kind, "plaintext")}];')
        lines += [f'  "{start}" -> "{end}";' for start, end in self.arrows]
        return "\n".join([*lines, "}", ""])


def flows(cell: Cell) -> list[Flow]:
    """Return the signal-flow graphs of a cell: its step, its adjoint and its tangent.

    Source: Lee 1974 (interreciprocity); Wan & Beaufays 1996: the adjoint has every arrow reversed, a sum where the step
    branches, and a branch where it adds.
    """
    graph = cell.graph()
    states = list(cell.states)
    seeds = {f"d.next.{name}": name for name in states}
    back = adjoint(graph, seeds, [*states, *(["x"] if "x" in graph.leaves("input") else [])])
    moved = tangent(graph, [*states, "x"])
    gradients: dict[int, list[str]] = {}
    for name, index in back.parameter_terms:
        gradients.setdefault(index, []).append(name)
    count = len(graph.nodes)

    def signal(name: str) -> str:
        return f"{name}⁻" if name in states else name

    names = {index: name for name, index in {**graph.named, **graph.outputs}.items()}
    names |= {index: signal(name) for name, index in graph.leaves("input").items()}
    forward = _flow(
        "step",
        _Source(graph, 0, dict(zip(graph.named.values(), graph.named))),
        graph.outputs,
        signal,
        lambda name: name,
    )
    backward = _flow(
        "adjoint (reversal)",
        _Source(back.graph, count, names),
        back.graph.outputs,
        _adjoint_name,
        lambda name: f"λ {signal(name)}",
        gradients,
    )
    changes = {name: index for name, index in moved.outputs.items() if name.startswith("dot.")}
    onward = _flow(
        "tangent",
        _Source(moved, count, names),
        changes,
        lambda name: f"δ {signal(name.removeprefix('dot.'))}",
        lambda name: f"δ {name.removeprefix('dot.')}",
    )
    backward.leftward = True
    for node in backward.nodes.values():
        node.column = backward.columns - 1 - node.column
    return [forward, backward, onward]


def _adjoint_name(name: str) -> str:
    return f"λ {name.removeprefix('d.next.')}"


@dataclass(frozen=True)
class _Source:
    """The graph that is drawn, and what its nodes are called.

    Attributes
    ----------
    graph : Graph
    first : int
        Nodes before it are the step's, whose values a derivative reads.
    names : dict of int to str
        Names of the step's values by their node.
    """

    graph: Graph
    first: int
    names: dict[int, str]

    def varying(self) -> set[int]:
        """Return the nodes that are drawn: those that depend on a signal of this graph, in the step all but leaves."""
        found: set[int] = set()
        for index, node in enumerate(self.graph.nodes):
            own = index >= self.first and node.op == "input"
            if own or any(operand in found for operand in node.reads):
                found.add(index)
        return found

    def text(self, index: int, inside: bool = False) -> str:
        """Return the expression of a value in terms of named ones; in brackets where it is a sum inside a product."""
        node = self.graph.nodes[index]
        if index in self.names:
            return self.names[index]
        if node.op == "constant":
            return f"{node.value:g}"
        if node.op in LEAVES:
            return node.name
        parts = [self.text(operand, node.op != "add") for operand in node.reads]
        if node.op in ("add", "subtract"):
            whole = SYMBOLS[node.op].join(parts)
            return f"({whole})" if inside else whole
        if node.op in PRODUCTS:
            return f"{parts[0]}{'ᵀ' * (node.op == 'matvec_transposed')} {parts[1]}"
        if node.op == "multiply":
            return f"{parts[0]}²" if parts[0] == parts[1] else " ".join(parts)
        if node.op == "negative":
            return f"−{parts[0]}"
        return f"{node.op}({', '.join(part.strip('()') for part in parts)})"

    def short(self, index: int) -> str:
        """Return the expression of a value, or of one that is too long its operation."""
        whole = self.text(index)
        return whole if len(whole) <= LONGEST else f"{self.graph.nodes[index].op}(…)"


def _flow(
    title: str,
    source: _Source,
    outputs: Mapping[str, int],
    incoming: Callable[[str], str],
    outgoing: Callable[[str], str],
    gradients: Mapping[int, list[str]] | None = None,
) -> Flow:
    """Return the drawing of the nodes of a graph that lead to `outputs` or to gradients of weights."""
    flow, terms, graph = Flow(title), gradients or {}, source.graph
    varying = source.varying()
    ends = {
        index: max(graph.nodes[index].operands) if graph.nodes[index].op == "outer" else index
        for index in terms
    }
    for index in graph.reachable([*outputs.values(), *ends.values()]):
        node, key = graph.nodes[index], str(index)
        if index not in varying:
            continue
        if node.op == "input":
            flow.nodes[key] = Node(incoming(node.name), "signal")
            continue
        moving = [operand for operand in node.reads if operand in varying]
        still = [operand for operand in node.reads if operand not in varying]
        text, kind = SYMBOLS.get(node.op, node.op), "op"
        if node.op in (*PRODUCTS, "multiply") and len(moving) == 1 and still:
            text, kind = source.short(still[0]) + "ᵀ" * (node.op == "matvec_transposed"), "gain"
            still = []
        named = source.first == 0 and index in source.names and kind == "op"
        flow.nodes[key] = Node(f"{source.names[index]} = {text}" if named else text, kind)
        flow.arrows += [(str(operand), key) for operand in moving]
        for place, operand in enumerate(still):
            flow.nodes[f"{key}.{place}"] = Node(source.short(operand), "constant")
            flow.arrows.append((f"{key}.{place}", key))
    for index, names in terms.items():
        for name in names:
            flow.nodes[f"weight.{name}.{index}"] = Node(f"∇ {name}", "weight")
            flow.arrows.append((str(ends[index]), f"weight.{name}.{index}"))
    for name, index in outputs.items():
        flow.nodes[f"out.{name}"] = Node(outgoing(name), "signal")
        flow.arrows.append((str(index), f"out.{name}"))
    flow.arrows = [(start, end) for start, end in flow.arrows if start in flow.nodes]
    _place(flow)
    return flow


def _place(flow: Flow) -> None:
    """Set the columns of all nodes by their depth, and the rows so that few arrows cross."""
    before: dict[str, list[str]] = {key: [] for key in flow.nodes}
    after: dict[str, list[str]] = {key: [] for key in flow.nodes}
    for start, end in flow.arrows:
        before[end].append(start)
        after[start].append(end)
    depth: dict[str, int] = {}

    def deep(key: str) -> int:
        if key not in depth:
            depth[key] = 1 + max((deep(other) for other in before[key]), default=-1)
        return depth[key]

    last = max(map(deep, flow.nodes))
    for key, node in flow.nodes.items():
        node.column = depth[key]
    for key in sorted(flow.nodes, key=lambda k: -depth[k]):
        node = flow.nodes[key]
        if not before[key] and after[key]:  # next to what reads it
            node.column = min(flow.nodes[end].column for end in after[key]) - 1
        if not after[key] and node.kind == "signal":
            node.column = last
    columns: dict[float, list[str]] = {}
    for key, node in flow.nodes.items():
        columns.setdefault(node.column, []).append(key)
    most = max(map(len, columns.values()))
    for keys in columns.values():
        _spread(flow, keys, most)
    for sweep in range(SWEEPS):
        beside = before if sweep % 2 == 0 else after
        for column in sorted(columns, reverse=sweep % 2 == 1):
            keys = columns[column]
            keys.sort(key=lambda key: _middle(flow, beside[key], flow.nodes[key].row))
            _spread(flow, keys, most)


def _middle(flow: Flow, keys: Iterable[str], own: float) -> float:
    rows = [flow.nodes[key].row for key in keys]
    return sum(rows) / len(rows) if rows else own


def _spread(flow: Flow, keys: list[str], most: int) -> None:
    """Spread the nodes of a column evenly over the height of the fullest one."""
    for place, key in enumerate(keys):
        flow.nodes[key].row = (place + 0.5) * most / len(keys)
