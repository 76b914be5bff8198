"""Checks of graphs after every pass of the compiler, which run if ``EVORRN_VERIFY=1`` is set, as in the tests.

A failed check means a mistake in the compiler, not in a cell.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from evorrn.compile.graph import Graph, Node
from evorrn.compile.ops import LEAVES, OPS


def verify(graph: Graph, forward: Graph | None = None, terms: Iterable[int] = ()) -> Graph:
    """Return the graph; check it first if ``EVORRN_VERIFY=1`` is set.

    Parameters
    ----------
    graph : Graph
    forward : Graph, optional
        The graph before differentiation; `graph` must begin with its nodes.
    terms : iterable of int
        Nodes that are results besides the outputs, for instance gradients of parameters.

    Raises
    ------
    AssertionError
        When a check fails; the message names the node.
    """
    if os.environ.get("EVORRN_VERIFY") == "1":
        check_graph(graph, terms)
        if forward is not None:
            same = graph.nodes[: len(forward.nodes)] == forward.nodes
            assert same, "a derivative must begin with the forward nodes unchanged"
    return graph


def check_graph(graph: Graph, terms: Iterable[int] = ()) -> None:
    """Raise AssertionError if a node has wrong operands or a wrong shape, or a result depends on no leaf.

    Parameters
    ----------
    graph : Graph
    terms : iterable of int
        Nodes that are results besides the outputs.
    """
    seen: set[Node] = set()
    leaves: set[tuple[str, str]] = set()
    for index, node in enumerate(graph.nodes):
        where = f"node {index} ({node.op})"
        assert node not in seen, f"{where}: appears twice"
        seen.add(node)
        if node.op in LEAVES:
            assert not node.operands, f"{where}: a leaf has no operands, got {node.operands}"
            assert node.op == "constant" or node.name, f"{where}: an input, parameter or option has a name"
            assert node.op == "constant" or (node.op, node.name) not in leaves, f"{where}: {node.name} twice"
            leaves.add((node.op, node.name))
            assert node.op not in ("constant", "option") or node.shape == (), f"{where}: must be a number"
            continue
        assert node.op in OPS, f"{where}: unknown operation"
        earlier = all(0 <= operand < index for operand in node.operands)
        assert earlier, f"{where}: expected operands before the node, got {node.operands}"
        try:
            shape = OPS[node.op].result(node.form, *[graph.nodes[operand].shape for operand in node.operands])
        except (ValueError, TypeError) as error:
            raise AssertionError(f"{where}: {error}") from error
        assert shape == node.shape, f"{where}: expected shape {shape}, got {node.shape}"
    for name, index in [*graph.outputs.items(), *((str(term), term) for term in terms)]:
        assert 0 <= index < len(graph.nodes), f"result {name}: there is no node {index}"
        reached = [graph.nodes[k] for k in graph.reachable([index])]
        varies = any(node.op in LEAVES and node.op != "constant" for node in reached)
        assert varies, f"result {name}: depends on no input, parameter or option"
