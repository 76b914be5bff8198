"""Timed: predictions by name with the seconds that each of them took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


class Timed(dict[str, Any]):
    """Predictions by name, each made by a function whose wall time is measured.

    Attributes
    ----------
    seconds : dict of str to float
        The wall time of each.

    Examples
    --------
    >>> from evorrn.data.timed import Timed
    >>> found = Timed({"one": lambda: 1})
    >>> found, found.seconds["one"] >= 0
    ({'one': 1}, True)
    """

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        for name, make in makers.items():
            started = time.perf_counter()
            self[name] = make()
            self.seconds[name] = time.perf_counter() - started
