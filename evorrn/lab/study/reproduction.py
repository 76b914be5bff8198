"""Reproduction: the results of a published experiment that was run again, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evorrn.base.files import jsonable

EVALUATIONS = "evaluations"
"""The measure of experiments that count evaluations until the problem is solved; others are metrics on test."""
BETTER, REPRODUCED, NOT_REPRODUCED, UNPUBLISHED = "better", "reproduced", "not reproduced", "no figure"


@dataclass(frozen=True)
class Finding:
    """The results for one row of a published table.

    Attributes
    ----------
    problem, method, of, conditions, deviation : str
        See `evorrn.lab.experiment.Case`.
    strategy : dict
        Name and settings.
    network : dict
        Cell, units and number of genes.
    seeds : int
        Runs.
    solved : int or None
        Runs that learned their problem; None where the measure is a metric.
    mean, low, high : float
        The mean over all runs and its 95 % bootstrap interval. For evaluations: the total of all runs divided by
        the number of runs that succeeded, ``inf`` when none did.
    median, spread : float
        Median, and standard deviation over the runs that succeeded.
    values : tuple of float
        One a run, ``inf`` for a run that failed.
    published : float or None
    verdict : str
        ``"better"`` where the whole interval is better than the published figure, ``"reproduced"`` where it
        contains the figure, else ``"not reproduced"``; ``"no figure"`` where none was published.
    errors : int
        Runs that ended with an error.
    """

    problem: str
    method: str
    of: str
    conditions: str
    deviation: str
    strategy: dict[str, Any]
    network: dict[str, Any]
    seeds: int
    solved: int | None
    mean: float
    low: float
    high: float
    median: float
    spread: float
    values: tuple[float, ...]
    published: float | None
    verdict: str
    errors: int = 0


@dataclass(frozen=True)
class Reproduction:
    """A published experiment, run again.

    Attributes
    ----------
    experiment : str
        Its name.
    title, source, measure : str
    notes : tuple of str
    quick : bool
        Whether only the quick rows were run, with few seeds.
    findings : tuple of Finding
    environment : dict
    report : str
        Path of the page.
    """

    experiment: str
    title: str
    source: str
    measure: str
    notes: tuple[str, ...]
    quick: bool
    findings: tuple[Finding, ...]
    environment: dict[str, Any]
    report: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the reproduction as strict JSON, figures that are not finite as None."""
        return jsonable(self)  # type: ignore[no-any-return]

    def by_problem(self) -> Iterator[tuple[str, list[Finding]]]:
        """Yield each problem with its findings, in order of the experiment."""
        for name in dict.fromkeys(finding.problem for finding in self.findings):
            yield name, [finding for finding in self.findings if finding.problem == name]
