"""All groups of the bench: choose by name, measure one after the other, tell as tables or as plain data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evorrn.base.errors import UnknownName
from evorrn.bench.group import Group
from evorrn.bench.results import Row
from evorrn.bench.session import Session
from evorrn.bench.timing import Times
from evorrn.lab.report.tables import Table, text_table

MODULES = (
    "population",
    "long_series",
    "gradient",
    "generation",
    "strategies",
    "control",
    "architectures",
    "labels",
    "trees",
    "wiring",
    "reservoir",
    "adaptation",
    "online",
    "kalman",
    "start_up",
    "scaling",
)
COLUMNS = ("row", "sizes", "ours", "peer", "its time", "ratio", "target", "verdict")


@dataclass(frozen=True)
class Measured:
    """A group and its rows."""

    group: Group
    rows: Sequence[Row]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        statistic = self.group.statistic
        return {
            "name": self.group.name,
            "what": self.group.what,
            "statistic": statistic,
            "rows": [row.as_dict(statistic) for row in self.rows],
        }


def groups() -> dict[str, Group]:
    """Return all groups by name."""
    found = [importlib.import_module(f"evorrn.bench.{name}").GROUP for name in MODULES]
    return {group.name: group for group in found}


def choose(names: Sequence[str]) -> list[tuple[Group, list[Any]]]:
    """Return the groups asked for, each with its cases; all when nothing is asked for.

    Parameters
    ----------
    names : sequence of str
        A group's name, or ``group/row``.

    Raises
    ------
    UnknownName
        With the nearest name that there is.
    """
    everything = groups()
    rows = {f"{group.name}/{case.name}" for group in everything.values() for case in group.cases}
    for name in names:
        if name not in everything and name not in rows:
            raise UnknownName("group or row of the bench", name, rows if "/" in name else everything)
    chosen = []
    for group in everything.values():
        whole = not names or group.name in names
        cases = [case for case in group.cases if whole or f"{group.name}/{case.name}" in names]
        if cases:
            chosen.append((group, cases))
    return chosen


def measure(
    chosen: Sequence[tuple[Group, Sequence[Any]]], session: Session, note: Callable[[str], None]
) -> Iterator[Measured]:
    """Measure groups one after the other.

    Parameters
    ----------
    chosen : sequence
        From `choose`.
    session : Session
    note : callable
        Called with the name of each row before it is measured.
    """
    for group, cases in chosen:
        rows = []
        for case in cases:
            note(f"{group.name}/{case.name}: {case.title}")
            rows.append(group.measure(case, session))
        if group.summary is not None and len(rows) == len(group.cases):
            rows.append(group.summary(rows))
        yield Measured(group, rows)


def table(measured: Measured) -> Table:
    """Return a group as a table, a line for each finding."""
    statistic = measured.group.statistic
    lines: list[tuple[str, ...]] = []
    for row in measured.rows:
        start = (row.name, row.title, clock(row.ours, statistic))
        for finding in row.findings:
            single = finding.unit == "s"  # our time itself is what has a target
            lines.append(
                (
                    *start[:2],
                    clock(finding.ours, statistic) or start[2],
                    finding.peer,
                    clock(finding.seconds, statistic),
                    "" if single else f"{finding.value:.3g} {finding.unit}",
                    "" if finding.target is None else f"{finding.target}{' s' * single}",
                    finding.verdict,
                )
            )
            start = ("", "", "")
        if not row.findings:
            lines.append((*start, *[""] * 5))
    heading = f"{measured.group.name}: {measured.group.what}; {statistic} of all calls"
    return text_table(heading, COLUMNS, lines)


def remarks(measured: Measured) -> list[str]:
    """Return what is to be said of a group's rows, a line for each remark with the rows it holds for."""
    rows: dict[str, list[str]] = {}
    for row in measured.rows:
        for remark in row.remarks:
            rows.setdefault(remark, []).append(row.name)
    return [f"  ! {remark} ({', '.join(names)})" for remark, names in rows.items()]


def outcome(measured: Sequence[Measured], session: Session) -> list[str]:
    """Return how many targets are met, which are not and by how much, and which peers were missing."""
    judged = [
        (f"{group.group.name}/{row.name}{' against ' * bool(finding.peer)}{finding.peer}", finding.verdict)
        for group in measured
        for row in group.rows
        for finding in row.findings
        if finding.target is not None
    ]
    short = [f"  {name}: {verdict}" for name, verdict in judged if verdict != "met"]
    lines = [f"{len(judged) - len(short)} of {len(judged)} targets met" + (", not met:" if short else "")]
    return lines + short + [f"missing: {peer}, {reason}" for peer, reason in session.missing.items()]


def listing(chosen: Sequence[tuple[Group, Sequence[Any]]]) -> Table:
    """Return the rows that would be measured."""
    rows = [(f"{group.name}/{case.name}", case.title) for group, cases in chosen for case in cases]
    return text_table("", ("name", "what is timed"), rows)


def as_dict(machine: dict[str, Any], session: Session, measured: Sequence[Measured]) -> dict[str, Any]:
    """Return a whole run as plain data: every number that was measured.

    Parameters
    ----------
    machine : dict
        From `evorrn.bench.machine.describe`.
    session : Session
    measured : sequence of Measured
    """
    return {
        "machine": machine,
        "quick": session.quick,
        "rounds": session.rounds,
        "missing": session.missing,
        "groups": [group.as_dict() for group in measured],
    }


def clock(times: Times | None, statistic: str) -> str:
    """Return a duration with the digits that a reader needs, nothing where there is none."""
    if times is None:
        return ""
    seconds = getattr(times, statistic)
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"
