"""Trees written with brackets, as words and links."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from evorrn.base.errors import DataError

WORD = ""
"""The word of a node that has children."""


def from_brackets(text: str) -> tuple[list[str], np.ndarray, list[str]]:
    """Return the nodes of a binary tree that is written with brackets, children before their parents.

    The form is that of the Penn and the Stanford sentiment treebank: ``(label word)`` is a leaf, ``(label left right)`` a
    node with two children. A node with one child is left out, as is usual, and its label replaces that of the child; one
    with more than two children becomes nodes of two from the left, all with its label. Labels may be absent:
    ``((a b) c)``. A text is one without labels where a bracket follows another one that opens, except the outermost.

    Parameters
    ----------
    text : str
        One tree.

    Returns
    -------
    words : list of str
        The word of each leaf, an empty text for a node with children.
    links : ndarray of int64, shape (T, 2)
        The left and the right child of each node, -1 for none; the last node is the root.
    labels : list of str
        The label of each node, an empty text where there is none.

    Raises
    ------
    DataError
        When brackets do not match, are empty, or hold more than one tree.

    Examples
    --------
    >>> from evorrn import trees
    >>> words, links, labels = trees.from_brackets("(1 (0 not) (3 good))")
    >>> words, links.tolist(), labels
    (['not', 'good', ''], [[-1, -1], [-1, -1], [0, 1]], ['0', '3', '1'])
    """
    reader = _Reader(re.findall(r"[()]|[^\s()]+", str(text)))
    reader.read()
    return reader.words, np.array(reader.links, np.int64).reshape(-1, 2), reader.labels


def _without_outer(symbols: Sequence[str]) -> Sequence[str]:
    """Return symbols without brackets around all of them that hold nothing but other brackets."""
    depth = 0
    for place, symbol in enumerate(symbols):
        depth += (symbol == "(") - (symbol == ")")
        if depth == 1 and place:
            return symbols[1:-1] if list(symbols[:2]) == ["(", "("] and place == len(symbols) - 2 else symbols
    return symbols


class _Reader:
    """Reads the symbols of a tree; nodes are appended when their brackets close."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols
        self.labelled = "( (" not in " ".join(_without_outer(symbols))
        self.words: list[str] = []
        self.links: list[tuple[int, int]] = []
        self.labels: list[str] = []

    def read(self) -> None:
        """Read one tree, which must be all of the text."""
        open_nodes: list[list[str | int]] = []  # texts and children of each bracket that is open
        root = False
        for place, symbol in enumerate(self.symbols, 1):
            if root:
                raise DataError(
                    f"brackets: expected one tree, got a second root at symbol {place}, {symbol!r}"
                )
            if symbol == "(":
                open_nodes.append([])
            elif not open_nodes:
                raise DataError(f"brackets: expected '(' at symbol {place}, got {symbol!r}")
            elif symbol == ")":
                node = self._node(open_nodes.pop(), place)
                root = not open_nodes
                if open_nodes:
                    open_nodes[-1].append(node)
            else:
                open_nodes[-1].append(symbol)
        if not root:
            missing = f"an end without {len(open_nodes)} closing brackets" if open_nodes else "nothing"
            raise DataError(f"brackets: expected a tree, got {missing}")

    def _node(self, parts: list[str | int], place: int) -> int:
        """Return the number of the node of a pair of brackets that closes at a symbol."""
        if not parts:
            raise DataError(
                f"brackets: expected a word or children before symbol {place}, got empty brackets"
            )
        label = ""
        if self.labelled and len(parts) > 1 and isinstance(parts[0], str):
            label, parts = parts[0], parts[1:]
        children = [part if isinstance(part, int) else self._add(part, (-1, -1), "") for part in parts]
        node = children[0]
        for other in children[1:]:
            node = self._add(WORD, (node, other), label)
        if label and len(children) == 1:
            self.labels[node] = label
        return node

    def _add(self, word: str, links: tuple[int, int], label: str) -> int:
        self.words.append(word)
        self.links.append(links)
        self.labels.append(label)
        return len(self.words) - 1
