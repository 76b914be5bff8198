"""Arguments of an emitted program, declared once for the code that emits it and the code that calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NETWORK = ("genomes", "options", "sizes", "offsets")
"""The fields of `evorrn.engine.model.Individuals`."""
SEQUENCES = ("x_all", "targets_all", "weights_all", "lengths_all")
"""The sequences of a batch, as each layout packs them."""
CONDITIONS = ("teacher_all", "state_all")
"""What sequences meet besides their inputs, see `evorrn.engine.inputs.Conditions`."""
RESULTS = ("outputs_all", "hidden_all", "last_state_all")
"""The fields of `evorrn.engine.model.Results`."""


class Arguments:
    """The names of a program's arguments, in order.

    Parameters
    ----------
    own : sequence of str
        The first arguments, which its runner adds at each call: which jobs to run, and where its memory is.
    *names : str
        The arguments that a caller gives.
    """

    def __init__(self, own: Sequence[str], *names: str) -> None:
        self.own = tuple(own)
        self.names = names

    def __str__(self) -> str:
        return ", ".join((*self.own, *self.names))

    def ordered(self, **values: Any) -> tuple[Any, ...]:
        """Return a caller's values in order; raises TypeError unless there is one for each name."""
        if values.keys() != set(self.names):
            wrong = sorted(values.keys() ^ set(self.names))
            raise TypeError(f"arguments of a program: missing or unknown: {', '.join(wrong)}")
        return tuple(values[name] for name in self.names)
