"""What a measurement says: rows of findings, each held against its target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evorrn.bench.timing import Times

if TYPE_CHECKING:
    from evorrn.bench.session import Session


@dataclass(frozen=True)
class Target:
    """The range that a number should lie in; None where it is open."""

    at_least: float | None = None
    at_most: float | None = None

    def shortfall(self, value: float) -> float:
        """Return the share of the bound by which a value misses it, 0 where it does not, 1 for NaN."""
        if math.isnan(value):
            return 1.0
        if self.at_least is not None and value < self.at_least:
            return 1 - value / self.at_least
        if self.at_most is not None and value > self.at_most:
            return value / self.at_most - 1
        return 0.0

    def __str__(self) -> str:
        if self.at_least is None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_most is None else f"{self.at_least:g} to {self.at_most:g}"


@dataclass(frozen=True)
class Finding:
    """One number that a row comes to.

    Attributes
    ----------
    peer : str
        What ours is set against; empty where a number stands for itself.
    value : float
    unit : str
        ``"x"`` (times as fast), ``"of its rate"``, ``"of the limit"``, ``"s"`` or ``"slope"``.
    target : Target, optional
    seconds : Times, optional
        Of the peer.
    ours : Times, optional
        Of ours, where it is not the row's.
    numbers : dict
        Further numbers, for the JSON.
    """

    peer: str
    value: float
    unit: str
    target: Target | None = None
    seconds: Times | None = None
    ours: Times | None = None
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``met``, or by how much the target is missed; empty where there is none."""
        if self.target is None:
            return ""
        if math.isnan(self.value):
            return "not measured"
        short = self.target.shortfall(self.value)
        if not short:
            return "met"
        side = "over" if self.target.at_most is not None and self.value > self.target.at_most else "short"
        return f"{100 * short:.0f} % {side}" if short > 0.01 else f"{100 * short:.1g} % {side}"

    def as_dict(self, statistic: str) -> dict[str, Any]:
        """Return all of it as plain data."""
        content: dict[str, Any] = {"peer": self.peer, "value": self.value, "unit": self.unit}
        if self.seconds is not None:
            content["seconds"] = getattr(self.seconds, statistic)
            content["calls"] = list(self.seconds.calls)
        if self.ours is not None:
            content["ours"] = getattr(self.ours, statistic)
        if self.target is not None:
            short = self.target.shortfall(self.value)
            content["target"] = {"at_least": self.target.at_least, "at_most": self.target.at_most}
            content |= {"met": not short, "shortfall": short}
        return content | self.numbers


@dataclass(frozen=True)
class Row:
    """One measurement: what ours took, what it comes to beside each peer, and what is to be said of it."""

    name: str
    title: str
    ours: Times | None = None
    findings: Sequence[Finding] = ()
    numbers: dict[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def as_dict(self, statistic: str) -> dict[str, Any]:
        """Return all of it as plain data."""
        content: dict[str, Any] = {"name": self.name, "title": self.title}
        if self.ours is not None:
            content |= {"seconds": getattr(self.ours, statistic), "calls": list(self.ours.calls)}
        findings = [finding.as_dict(statistic) for finding in self.findings]
        return content | self.numbers | {"findings": findings, "remarks": list(self.remarks)}


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
