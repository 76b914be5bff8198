"""Predecessors: the earlier steps that a step is linked to, which a cell takes in place of its last states.

    def tree(p, x, left, right):
        return tanh(p.W_l @ left.h + p.W_r @ right.h + p.b)

``left.h`` is the state h of the first predecessor, zero where there is none; ``left.there`` is 1 or 0.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.graph import Builder
from evorrn.compile.op import NUMBER, Shape

THERE = "there"
"""The name of the number that says whether a predecessor exists."""


@dataclass(frozen=True)
class Predecessor:
    """A predecessor as equations see it.

    Attributes
    ----------
    name : str
    """

    name: str

    def value(self, builder: Builder, attribute: str, states: Mapping[str, Shape]) -> int:
        """Return the node of a state of the predecessor, or of the number that says whether it exists."""
        shapes = {**states, THERE: NUMBER}
        if attribute not in shapes:
            raise UnknownName(f"state of the predecessor {self.name}", attribute, shapes)
        return builder.leaf("input", f"{self.name}.{attribute}", shapes[attribute])


def predecessors(
    title: str,
    function: Callable[..., Any],
    states: Mapping[str, Shape],
    chain: Mapping[str, Mapping[str, Any]],
) -> tuple[str, ...]:
    """Return the arguments of a function that are predecessors: all after ``x``, if none is a state or ``y``.

    The function reads at least one of them with a dot. Without that it is the function of a chain of steps, whose
    arguments are checked elsewhere.

    Parameters
    ----------
    title : str
        Name of the cell.
    function : callable
    states : mapping of str to tuple of str
    chain : mapping of str to mapping
        Declarations by name that only cells of a chain may have.

    Raises
    ------
    CellError
        When a cell with predecessors also has one of these declarations.
    """
    arguments = inspect.signature(function).parameters.values()
    positional = [a.name for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD]
    names = tuple(positional[2:])
    read = {
        node.value.id
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    if positional[:2] != ["p", "x"] or {"y", *states} & set(names) or not read & set(names):
        return ()
    if THERE in states:
        raise CellError(
            f"cell {title}: state {THERE}: it says whether a predecessor exists; choose another name"
        )
    for what, given in chain.items():
        if given:
            raise CellError(
                f"cell {title}: {what}: expected none, since a step without predecessors sees zeros and has no last step"
            )
    return names
