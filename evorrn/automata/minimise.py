"""The minimal automaton: states that no string tells apart become one."""

from __future__ import annotations

import numpy as np


def completed(transitions: np.ndarray, accepting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return transitions and accepting states in which missing transitions (-1) lead to a rejecting state, a sink.

    Without a missing transition both are returned as they are.
    """
    if not (transitions < 0).any():
        return transitions, accepting
    sink = len(transitions)
    rows = np.vstack([transitions, np.full((1, transitions.shape[1]), sink)])
    return np.where(rows < 0, sink, rows), np.append(accepting, False)


def in_order_of_reach(transitions: np.ndarray, start: int) -> np.ndarray:
    """Return the states that a complete automaton reaches: breadth first, symbols in their order, the start first."""
    order = [start]
    seen = {start}
    for state in order:
        for following in transitions[state].tolist():
            if following not in seen:
                seen.add(following)
                order.append(following)
    return np.array(order)


def equivalence_classes(transitions: np.ndarray, accepting: np.ndarray) -> np.ndarray:
    """Return a class (S,) for each state of a complete automaton; equal where no string tells two states apart.

    Source: Moore 1956, "Gedanken-experiments on sequential machines": states start in two classes, accepting and
    rejecting, and a class is divided where a symbol leads to different classes, until no class is.
    """
    classes = accepting.astype(np.int64)
    count = len(np.unique(classes))
    while True:
        rows = np.column_stack([classes, classes[transitions]])
        _, divided = np.unique(rows, axis=0, return_inverse=True)
        classes = divided.reshape(-1)
        if classes.max() + 1 == count:
            return classes
        count = int(classes.max()) + 1
