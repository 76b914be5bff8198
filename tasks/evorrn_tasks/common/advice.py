"""Networks recommended for tasks of symbols, bits and spikes."""

from __future__ import annotations

from evorrn.data.task import Recommended


def by_strategy(strategy: str, *, trained: int = 16, evolved: int = 4, cell: str = "elman") -> Recommended:
    """Return a reservoir for solved readouts, `trained` LSTM units for gradients, `evolved` units of `cell` for evolution.

    Cells of an LSTM can keep a value over any number of steps, and gradients find the weights of their gates. Evolution
    found better networks on validation with few Elman units, which have fewer weights.
    """
    if strategy in ("esn", "evolved-esn"):
        return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
    if strategy == "bptt":
        return Recommended({"cell": "lstm", "hidden": trained}, {"batch_size": 16})
    return Recommended({"cell": cell, "hidden": evolved})
