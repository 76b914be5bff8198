"""Which entries of a time step's derivatives can differ from zero, and how few directions give all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.compile.graph import Graph, Node
from evorrn.compile.many import evaluate
from evorrn.compile.op import count_of, size_of
from evorrn.compile.step import INPUT_NAME, OUTPUT, Step
from evorrn.engine.influence.rows import Layout
from evorrn.engine.lanes.backward import Derivative
from evorrn.engine.model import Model

ORDERED = ("allocation_adjoint",)
"""Operations whose derivative has zeros at places that depend on the values."""


class Pattern(NamedTuple):
    """The structure of the derivatives of a lifted time step.

    Attributes
    ----------
    old : ndarray of bool, shape (S, S)
        Whether a new state depends on an old one besides through the lifted products.
    factors : ndarray of bool, shape (S, R)
        Whether the derivative of a new state has a factor; False for factors of the forward pass.
    inputs : ndarray of bool, shape (S, I)
        Whether a new state depends on an input; without columns where that derivative is not wanted.
    colours : ndarray of int, shape (S,)
        The direction that gives the derivatives of each new state. States of one direction share no entry.
    """

    old: np.ndarray
    factors: np.ndarray
    inputs: np.ndarray
    colours: np.ndarray

    @property
    def directions(self) -> np.ndarray:
        """The directions, shape (C, S)."""
        return (self.colours == np.arange(self.colours.max() + 1)[:, None]).astype(np.float64)


def find_pattern(
    step: Step, model: Model, derivative: Derivative, layout: Layout, first: dict[int, int]
) -> Pattern:
    """Return the pattern of a step.

    The adjoint is linear in its seed, so a seed of NaN marks every entry that it can reach. The values of the
    forward pass are random numbers here.
    """
    graph, count = derivative.graph, len(step.graph.nodes)
    total = model.state_size
    if any(node.op in ORDERED for node in graph.nodes):
        sizes_of_columns = total, layout.rows, model.sizes["I"] if INPUT_NAME in graph.outputs else 0
        old, factors, inputs = (np.ones((total, size), bool) for size in sizes_of_columns)
        return Pattern(old, factors, inputs, np.arange(total))
    rng = np.random.default_rng(0)
    nodes, given = list(graph.nodes), {}
    for index, node in enumerate(nodes):
        sizes_of_node = tuple(size_of(dimension, model.sizes) for dimension in node.shape)
        seed = node.op == "input" and node.name.startswith("d.")
        if (
            node.op != "constant"
            and not seed
            and (index < count or node.op in ("parameter", "fixed", "option", "input"))
        ):
            nodes[index] = Node("input", (), node.shape, f"value.{index}")
            lead = (1,) if _varies(node, index, count) else ()
            given[f"value.{index}"] = 0.5 + rng.random(lead + sizes_of_node)
    sizes = {name: count_of(shape, model.sizes) for name, shape in step.states.items()}
    start = 0
    for name, shape in step.states.items():
        seeds = np.zeros((total, sizes[name]))
        own = np.arange(sizes[name])
        seeds[start + own, own] = np.nan
        if name == OUTPUT and model.form.feed:  # what goes back depends on all outputs
            seeds[start : start + sizes[name]] = np.nan
        given[f"d.next.{name}"] = seeds.reshape(total, *(size_of(d, model.sizes) for d in shape))
        start += sizes[name]
    given["d.output"] = np.zeros((1, model.outputs))
    marked = Graph(tuple(nodes), graph.outputs)
    found = evaluate(marked, given, [*graph.outputs.values(), *(i for i in first if i >= count)])

    def reached(index: int) -> np.ndarray:
        rows = count_of(graph.nodes[index].shape, model.sizes)
        value = np.asarray(found[index])
        value = (
            value.reshape(value.shape[0], -1)
            if value.ndim > len(graph.nodes[index].shape)
            else value.reshape(1, -1)
        )
        return np.isnan(np.broadcast_to(value, (total, rows)))

    old, start = np.zeros((total, total), bool), 0
    for name in step.states:
        if name in graph.outputs:
            old[:, start : start + sizes[name]] = reached(graph.outputs[name])
        start += sizes[name]
    factors = np.zeros((total, layout.rows), bool)
    for index, row in first.items():
        if index >= count:
            part = reached(index)
            factors[:, row : row + part.shape[1]] = part
    inputs = np.zeros((total, 0), bool)
    if INPUT_NAME in graph.outputs:
        inputs = reached(graph.outputs[INPUT_NAME])
    return Pattern(old, factors, inputs, _colours(np.concatenate([old, factors, inputs], axis=1)))


def _varies(node: Node, index: int, count: int) -> bool:
    """Return whether a value has an axis of directions in front: all but weights and options."""
    return node.op not in ("parameter", "fixed", "option") and node.shape != ()


def _colours(pattern: np.ndarray) -> np.ndarray:
    """Return a colour for each row, so that rows of one colour share no column; the first that fits."""
    used: list[np.ndarray] = []
    colours = np.zeros(len(pattern), np.int64)
    for row, own in enumerate(pattern):
        colour = next((k for k, taken in enumerate(used) if not (taken & own).any()), len(used))
        if colour == len(used):
            used.append(own.copy())
        used[colour] |= own
        colours[row] = colour
    return colours
