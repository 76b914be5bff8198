"""The arguments of emitted programs, declared once for the code that emits a program and the code that calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NETWORK = ("genomes", "options", "sizes", "offsets")
"""Genomes, options and sizes: the fields of `evorrn.engine.model.Individuals`."""
SEQUENCES = ("x_all", "targets_all", "weights_all", "lengths_all")
"""The sequences of a batch, in the memory order of a layout."""
CONDITIONS = ("teacher_all", "state_all")
"""Teacher and first state, see `evorrn.engine.inputs.Conditions`."""
RESULTS = ("outputs_all", "hidden_all", "last_state_all")
"""Outputs, hidden states and last states: the fields of `evorrn.engine.model.Results`."""


class Arguments:
    """The names of the arguments of a program, in order.

    Parameters
    ----------
    leading : sequence of str
        The first arguments: the jobs to run and the memory to use. Each thread passes its own.
    *names : str
        The other arguments, which are the same for all threads.
    """

    def __init__(self, leading: Sequence[str], *names: str) -> None:
        self.leading = tuple(leading)
        self.names = names

    def __str__(self) -> str:
        return ", ".join((*self.leading, *self.names))

    def ordered(self, **values: Any) -> tuple[Any, ...]:
        """Return the values of all arguments except the leading ones, in order.

        Raises
        ------
        TypeError
            When a value is missing or has an unknown name.
        """
        if values.keys() != set(self.names):
            wrong = sorted(values.keys() ^ set(self.names))
            raise TypeError(f"arguments of a program: missing or unknown: {', '.join(wrong)}")
        return tuple(values[name] for name in self.names)
