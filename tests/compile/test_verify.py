"""The checks of graphs fail for every kind of wrong graph, and pass for the graphs of all cells."""

import dataclasses

import pytest

from evorrn.cells.find import cells
from evorrn.compile.adjoint import adjoint
from evorrn.compile.graph import Builder, Graph, Node
from evorrn.compile.step import compose
from evorrn.compile.verify import check_graph, verify


def graph():
    b = Builder()
    w, x = b.leaf("parameter", "W", ("H", "I")), b.leaf("input", "x", ("I",))
    return b.graph({"h": b.apply("tanh", b.apply("matvec", w, x))})


def changed(position, **changes):
    nodes = list(graph().nodes)
    nodes[position] = dataclasses.replace(nodes[position], **changes)
    return Graph(tuple(nodes), graph().outputs)


@pytest.mark.parametrize(
    "broken, message",
    [
        (changed(2, operands=(0, 3)), "expected operands before the node"),
        (changed(2, shape=("I",)), r"expected shape \('H',\), got \('I',\)"),
        (changed(2, operands=(1, 1)), "a product @ needs"),
        (changed(3, op="sinh"), "unknown operation"),
        (changed(1, name=""), "has a name"),
        (changed(1, operands=(0,)), "a leaf has no operands"),
        (Graph(graph().nodes, {"h": 9}), "there is no node 9"),
        (Graph((*graph().nodes, Node("constant", (), (), value=1.0)), {"h": 4}), "depends on no input"),
        (Graph((*graph().nodes, graph().nodes[2]), graph().outputs), "appears twice"),
    ],
)
def test_wrong_graphs_raise_errors(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_graph(broken)


def test_a_derivative_that_changes_forward_nodes_raises_an_error():
    derived = adjoint(graph(), {"d.h": "h"}, ["x"])
    moved = Graph((derived.graph.nodes[1], derived.graph.nodes[0], *derived.graph.nodes[2:]), {})
    with pytest.raises(AssertionError):
        verify(moved, graph())
    assert verify(derived.graph, graph()) is derived.graph


def test_graphs_are_checked_only_if_the_variable_is_set(monkeypatch):
    monkeypatch.delenv("EVORRN_VERIFY")
    assert verify(changed(3, op="sinh"))


@pytest.mark.parametrize("name", sorted(cells()))
def test_graphs_of_all_cells_pass(name):
    cell = cells()[name]
    for biases in (True, False):
        step = compose([cell] * 2, [{}] * 2, direct=True, feedback=True, biases=biases)
        check_graph(step.graph)
        check_graph(step.adjoint.graph, [node for _, node in step.adjoint.parameter_terms])
