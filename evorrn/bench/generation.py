"""One generation of a genetic algorithm, with all that belongs to it: selection, variation, evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from evorrn.bench import population
from evorrn.bench.group import Group
from evorrn.bench.peers.weights import Weights, stacked
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.bench.timing import Times
from evorrn.data.batch import Batch
from evorrn.strategies.evolution.genetic_algorithm import GeneticAlgorithm
from evorrn.training.problem import Problem

PEERS = ("evosax", "deap")


@dataclass(frozen=True)
class Case:
    """One generation of P individuals, evaluated as in a row of the group ``population``."""

    workload: population.Case
    targets: Mapping[str, Target] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return self.workload.name

    @property
    def title(self) -> str:
        """Sizes of the row."""
        return self.workload.title


def measure(case: Case, session: Session) -> Row:
    """Time a generation, ours and the peers'; beside it stands the time per evaluated individual."""
    network, genomes, batch = population.workload(case.workload)
    settings = GeneticAlgorithm(population=len(genomes), crossover_probability=0.5, mutation_probability=0.2)
    counts: dict[str, list[int]] = {"evorrn": []}
    problem = Problem(network, batch)
    weights = stacked(network, genomes)
    state: dict[str, Any] = settings.start(problem, np.random.default_rng(0))
    state = settings.step(problem, state)  # evaluates the whole start population, unlike all others

    def call() -> None:
        nonlocal state
        state = settings.step(problem, state)
        counts["evorrn"].append(state["record"]["evaluated"])

    ours = Contender("evorrn", call, lambda: [-network.fitness(genomes, batch)])
    remarks: list[str] = []
    others: list[Contender] = []
    owner: dict[str, str] = {}
    for name in PEERS:
        tally = counts[name] = []
        make = partial(_peer_generation, settings, case.workload.cell, weights, batch, tally)
        for contender in session.invite(name, make, remarks, case.targets.get(name)):
            others.append(contender)
            owner[contender.label] = name
    mine, findings = session.contest(ours, others, remarks, statistic=GROUP.statistic)
    each = _each(mine, counts["evorrn"])
    for finding in list(findings):
        assert finding.seconds is not None
        tally = counts[owner[finding.peer]]
        theirs = _each(finding.seconds, tally)
        ratio = theirs.median / each.median
        finding.numbers["evaluated"] = float(np.mean(tally))
        findings.append(Finding(f"{finding.peer}, per individual", ratio, "x", None, theirs, each))
    numbers = {"evaluated": float(np.mean(counts["evorrn"])), "seconds_per_individual": each.median}
    return Row(case.name, case.title, mine, findings, numbers, remarks)


def _peer_generation(
    settings: GeneticAlgorithm,
    cell: str,
    weights: Weights,
    batch: Batch,
    counts: list[int],
    peer: ModuleType,
) -> Contender:
    return peer.generation(settings, cell, weights, batch, counts)


def _each(times: Times, counts: list[int]) -> Times:
    """Return the times for each individual that was evaluated, on average."""
    return Times(tuple(seconds / float(np.mean(counts)) for seconds in times.calls))


GROUP = Group(
    "generation",
    "one generation of a genetic algorithm, crossover 0.5, mutation 0.2, float32",
    (
        Case(
            population.Case("elman", 32, 256),
            {"evosax": Target(at_least=3), "deap": Target(at_least=12)},
        ),
    ),
    measure,
    statistic="median",
)
