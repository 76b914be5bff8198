"""An automaton as text: a table of its transitions, and a graph in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def arrows(transitions: np.ndarray, symbols: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return the label of every arrow, the symbols with commas, by its two states; missing transitions have none."""
    found: dict[tuple[int, int], list[str]] = {}
    for state, row in enumerate(transitions.tolist()):
        for symbol, following in zip(symbols, row):
            if following >= 0:
                found.setdefault((state, following), []).append(symbol)
    return {pair: ", ".join(names) for pair, names in found.items()}


def table(transitions: np.ndarray, accepting: np.ndarray, start: int, symbols: Sequence[str]) -> str:
    """Return the transitions as lines of text, one a state."""
    rows = [["start", "state", *symbols]]
    for state, following in enumerate(transitions.tolist()):
        name = f"{state} accept" if accepting[state] else str(state)
        rows.append(
            ["->" if state == start else "", name, *("-" if each < 0 else str(each) for each in following)]
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def dot(transitions: np.ndarray, accepting: np.ndarray, start: int, symbols: Sequence[str]) -> str:
    """Return the automaton as a directed graph in the DOT language; accepting states are double circles."""
    lines = ["digraph {", "  rankdir=LR;", "  start [shape=point];"]
    for state, accepts in enumerate(accepting.tolist()):
        lines.append(f"  {state} [shape={'doublecircle' if accepts else 'circle'}];")
    lines.append(f"  start -> {start};")
    for (state, following), label in arrows(transitions, symbols).items():
        quoted = label.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'  {state} -> {following} [label="{quoted}"];')
    return "\n".join([*lines, "}"]) + "\n"
