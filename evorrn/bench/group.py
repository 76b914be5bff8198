"""Groups of rows that are measured in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evorrn.bench.results import Row
from evorrn.bench.session import Session


@dataclass(frozen=True)
class Group:
    """Rows of one kind.

    Attributes
    ----------
    name : str
    what : str
        What is timed, in a sentence.
    cases : sequence
        One for each row, with a ``name`` and a ``title``.
    measure : callable
        ``measure(case, session)`` gives the row.
    summary : callable, optional
        From all rows of the group, one more row.
    statistic : str
        ``"minimum"`` or ``"median"`` of the calls: what seconds and ratios are.
    """

    name: str
    what: str
    cases: Sequence[Any]
    measure: Callable[[Any, Session], Row]
    summary: Callable[[Sequence[Row]], Row] | None = None
    statistic: str = "minimum"
