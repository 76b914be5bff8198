"""What a list of runs takes in time and memory, estimated before the first one starts.

Time follows from the budget and a speed: that of complete runs of the same strategy and cell in the folder of runs, else the
usual speed of the strategy with such a network on such data. Memory follows from the sizes of data, network and strategy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evorrn.base.errors import ConfigError
from evorrn.base.memory import gigabytes, installed
from evorrn.base.text import amount, counted
from evorrn.lab.runs.assessments import assessment_of, bytes_of
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.spec import Spec
from evorrn.strategies.base import EvolutionStrategy
from evorrn.training.meter import MeteredProblem
from evorrn.training.problem import Problem

PROCESS = 250 * 2**20
"""Bytes of a process that has compiled its programs, without data."""
PACKED = 3
"""How often the data of a run are held: as they are, packed for the kernels, and as outputs."""
LOOKED_AT = 5
"""Complete runs whose speed is looked at."""


@dataclass(frozen=True)
class Estimate:
    """What a list of runs takes.

    Attributes
    ----------
    runs : int
    work : float or None
        Multiply-adds of all runs, None where the budget of one does not tell.
    seconds : float or None
        Of one process; compiling is not counted.
    measured : bool
        Whether the time follows from complete runs of the same kind.
    memory : int
        Bytes of the process that takes most.
    """

    runs: int
    work: float | None
    seconds: float | None
    measured: bool
    memory: int

    def sentence(self, jobs: int) -> str:
        """Return the estimate for a number of processes in a sentence."""
        jobs = min(jobs, self.runs)
        parts = [counted(self.runs, "run")]
        parts += [] if self.work is None else [f"about {amount(self.work)} multiply-adds in all"]
        if self.seconds is not None:
            source = "as earlier runs of their kind took" if self.measured else "at usual speeds"
            shared = f" by {jobs} processes" if jobs > 1 else ""
            parts.append(f"about {duration(self.seconds / jobs)}{shared} {source}, compiling not counted")
        each = " each" if jobs > 1 else ""
        parts.append(f"about {gigabytes(self.memory)} of memory{each}")
        return f"ahead: {'; '.join(parts)}"


def duration(seconds: float) -> str:
    """Return a time in words, to one or two digits.

    Examples
    --------
    >>> from evorrn.lab.runs.estimate import duration
    >>> duration(0.3), duration(95), duration(10000)
    ('1 second', '95 seconds', '2.8 hours')
    """
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return counted(max(1, round(seconds)), "second")


def estimated(runs: Iterable[tuple[Spec, int]], root: Path) -> Estimate:
    """Return what runs take together, each spec given with the number of its seeds.

    Raises
    ------
    ConfigError
        With every strategy that cannot train its network on its data, and every run that needs more memory than there is.
    """
    refused: list[str] = []
    work: float | None = 0.0
    seconds: float | None = 0.0
    most, total, measured = 0, 0, True
    for spec, count in runs:
        total += count
        problem = assessment_of(spec).problem(spec.network)
        try:
            most = max(most, _memory(spec, problem))
        except ConfigError as error:
            refused += [sentence for sentence in error.problems if sentence not in refused]
        speed = _speed(spec, root)
        measured &= speed is not None
        each = _work(spec, problem)
        took = spec.budget.seconds
        if each is not None:
            took = min(took or float("inf"), each / (speed or _usual_speed(spec, problem)))
        work = None if work is None or each is None else work + count * each
        seconds = None if seconds is None or took is None else seconds + count * took
    if refused:
        raise ConfigError(refused)
    return Estimate(total, work, seconds, measured, most)


def by_seed(specs: Iterable[Spec]) -> list[tuple[Spec, int]]:
    """Return each spec once for all that differ from it in nothing but the seed, with their number."""
    groups: dict[str, list[Spec]] = {}
    for spec in specs:
        groups.setdefault(spec.with_seed(0).id, []).append(spec)
    return [(same[0], len(same)) for same in groups.values()]


def _memory(spec: Spec, problem: MeteredProblem) -> int:
    """Return about how many bytes a process with a run takes; raise ConfigError where it cannot run."""
    spec.strategy.check(problem)
    sequences, steps = (problem.train.size, problem.train.steps) if isinstance(problem, Problem) else (1, 1)
    arrays = spec.strategy.bytes_held(spec.network, sequences, steps)
    total, there = PROCESS + PACKED * bytes_of(assessment_of(spec)) + arrays, installed()
    if total > there:
        raise ConfigError(
            f"strategy {spec.strategy.name}: a run with {spec.network.size:,} genes on {counted(sequences, 'sequence')} of up to "
            f"{steps:,} steps needs about {gigabytes(total)} of memory, and this machine has {gigabytes(there)}; take fewer "
            "units, less data or another strategy"
        )
    return total


def _work(spec: Spec, problem: MeteredProblem) -> float | None:
    """Return the multiply-adds of a run at most, None where its budget and strategy do not tell."""
    budget, strategy = spec.budget, spec.strategy
    if budget.work is not None or not isinstance(problem, Problem):
        return budget.work
    forward, backward = spec.network.step_work
    a_pass = problem.train.moved_steps * forward
    population = getattr(strategy, "population", None)
    found: list[float] = []
    if budget.evaluations is not None and isinstance(strategy, EvolutionStrategy):
        found.append(budget.evaluations * a_pass)
    if budget.generations is not None and isinstance(strategy, EvolutionStrategy) and population:
        found.append(budget.generations * population * a_pass)
    if budget.generations is not None and "gradient" in strategy.requires:
        found.append(budget.generations * problem.train.moved_steps * (forward + backward))
    return min(found, default=None)


def _usual_speed(spec: Spec, problem: MeteredProblem) -> float:
    """Return about how many multiply-adds a second a strategy takes with its network on its data."""
    strategy = spec.strategy
    if not isinstance(problem, Problem):
        return strategy.usual_speed
    forward, backward = spec.network.step_work
    each = forward + backward if "gradient" in strategy.requires else forward
    together = min(problem.train.size, getattr(strategy, "batch_size", 0) or problem.train.size)
    return 1 / (1 / strategy.usual_speed + strategy.usual_overhead / (together * each))


def _speed(spec: Spec, root: Path) -> float | None:
    """Return the multiply-adds a second of complete runs of a task, strategy and cell; None where there is none."""
    home, reader, found = spec.folder.parent, Reader(root), []
    folder = root / home
    if not folder.is_dir():
        return None
    for path in itertools.islice(sorted(folder.iterdir()), LOOKED_AT):
        run = reader.run((home / path.name).as_posix())
        if run.status == COMPLETE and run.work and run.seconds:
            found.append((run.work, run.seconds))
    return sum(work for work, _ in found) / sum(took for _, took in found) if found else None
