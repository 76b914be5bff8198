"""One run of the bench: which peers there are, how many rounds, and the contest of one row."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from evorrn.bench import peers
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.timing import Times, alternate

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network

TOLERANCE = 1e-4
"""Largest relative deviation of a peer's result from ours at which its time counts."""

ROUNDS, QUICK_ROUNDS = 8, 2

SETTLED = 3.0
"""Seconds of calls before they are timed: after one or two, stages are compiled as a whole, and training takes longer."""


class Named(Protocol):
    """What a row of the bench is made of."""

    @property
    def name(self) -> str:
        """The short name of the row."""

    @property
    def title(self) -> str:
        """What is measured, in words."""


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work of a row.

    Attributes
    ----------
    label : str
        Who and how, for instance ``"JAX jit(vmap(scan))"``.
    call : callable
        Does the work once.
    check : callable, optional
        The arrays that everybody must agree on; None for one who does other work.
    work : float
        Size of the work in units of ours.
    unit : str
        What the ratio of ours to this one is, see `Finding`.
    target : Target, optional
        For the ratio of ours to this one.
    """

    label: str
    call: Callable[[], object]
    check: Callable[[], Sequence[np.ndarray]] | None = None
    work: float = 1.0
    unit: str = "x"
    target: Target | None = None


@dataclass
class Session:
    """What is common to all rows of a run.

    Attributes
    ----------
    quick : bool
        A few rounds alone.
    missing : dict
        The peers that were wanted and are not there, with the reason.
    """

    quick: bool = False
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """Turns of each contender of a row."""
        return QUICK_ROUNDS if self.quick else ROUNDS

    def settle(self, call: Callable[[], object]) -> None:
        """Call a function for some seconds, so that it is timed as it is in a run; not where a few rounds are wanted."""
        begun = time.perf_counter()
        while not self.quick and time.perf_counter() - begun < SETTLED:
            call()

    def invite(
        self,
        peer: str,
        make: Callable[[ModuleType], Contender],
        remarks: list[str],
        target: Target | None = None,
    ) -> list[Contender]:
        """Return a peer's contender in a list, or an empty one and a remark that says why it is not there.

        Parameters
        ----------
        peer : str
            A module of `evorrn.bench.peers`.
        make : callable
            Makes the contender from the module.
        remarks : list of str
        target : Target, optional
            For the ratio of ours to it.
        """
        module = peers.load(peer, self.missing)
        if module is None:
            remarks.append(f"{peer} is missing")
            return []
        try:
            return [replace(make(module), target=target)]
        except Exception as error:  # a peer of another version costs its column, not the run
            remarks.append(f"{peer} failed: {type(error).__name__}: {error}")
            return []

    def against(
        self,
        case: Named,
        ours: Contender,
        make: Callable[[ModuleType], Contender],
        targets: Mapping[str, Target | None],
    ) -> Row:
        """Return the row of a case: our time, and those of the peers that a function makes contenders of.

        Parameters
        ----------
        case : Named
        ours : Contender
        make : callable
            Makes the contender of a peer from its module.
        targets : mapping
            For each peer, a module of `evorrn.bench.peers`, the target of the ratio of ours to it, or None.
        """
        remarks: list[str] = []
        others = [
            other for name, target in targets.items() for other in self.invite(name, make, remarks, target)
        ]
        mine, findings = self.contest(ours, others, remarks)
        return Row(case.name, case.title, mine, findings, {}, remarks)

    def contest(
        self,
        ours: Contender,
        others: Sequence[Contender],
        remarks: list[str],
        statistic: str = "minimum",
    ) -> tuple[Times, list[Finding]]:
        """Time all contenders who agree with ours, in turn, and return our times and what they come to.

        Those who disagree or fail are left out, with a remark.
        """
        fair, deviations = [], {}
        wanted = ours.check() if ours.check else ()
        for other in others:
            try:
                apart = deviation(other.check(), wanted) if other.check else 0.0
            except Exception as error:
                remarks.append(f"{other.label} failed: {type(error).__name__}: {error}")
                continue
            if apart <= TOLERANCE:
                fair.append(other)
                deviations[other.label] = apart
            else:
                remarks.append(f"{other.label} disagrees with ours by {apart:.1e}: not timed")
        times = alternate({contender.label: contender.call for contender in (ours, *fair)}, self.rounds)
        mine = times.pop(ours.label)
        findings = [_finding(other, mine, times[other.label], statistic) for other in fair]
        for finding, other in zip(findings, fair):
            if other.check:
                finding.numbers["deviation"] = deviations[other.label]
        return mine, findings


def loss_and_gradient(network: Network, genome: np.ndarray, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss (1,) and the gradient (n,) of a genome, as arrays that contenders must agree on."""
    loss, gradient = network.loss_and_gradient(genome, batch)
    return np.array([loss]), gradient


def deviation(values: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Return the largest difference between arrays, relative to the largest entry of each."""
    return max(
        float(np.abs(np.asarray(a, np.float64) - b).max() / max(np.abs(b).max(), 1e-300))
        for a, b in zip(values, wanted, strict=True)
    )


def _finding(other: Contender, mine: Times, theirs: Times, statistic: str) -> Finding:
    ratio = getattr(theirs, statistic) / getattr(mine, statistic) / other.work
    return Finding(other.label, ratio, other.unit, other.target, theirs)
