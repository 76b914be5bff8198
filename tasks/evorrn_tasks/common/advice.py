"""Networks recommended for tasks of symbols and bits."""

from __future__ import annotations

from evorrn.data.task import Recommended


def gated(strategy: str, *, trained: int = 16, evolved: int = 4, cell: str = "gru") -> Recommended:
    """Return a reservoir for solved readouts, `trained` LSTM units for gradients, `evolved` units of `cell` for evolution.

    Gates can keep a value over any number of steps; evolution has few weights to find.
    """
    if strategy in ("esn", "evolved-esn"):
        return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
    if strategy == "bptt":
        return Recommended({"cell": "lstm", "hidden": trained}, {"batch_size": 16})
    return Recommended({"cell": cell, "hidden": evolved})
