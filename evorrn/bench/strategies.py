"""One generation of every evolution strategy, own work and evaluation, beside the same algorithm of peers."""

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
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.strategies.find import make_strategy
from evorrn.training.problem import Problem

LINEAR = {"evosax": Target(at_least=2)}
CUBIC = {"evosax": Target(at_least=1)}
"""For strategies that decompose a matrix of all genes: that work is the same for everybody."""

NEURONS = {"population": 26, "trials": 10}
"""Where a population is of neurons, each of which takes part in some networks: about as many networks."""


@dataclass(frozen=True)
class Case:
    """Generations of a strategy, whose networks are evaluated as in a row of the group ``population``.

    Attributes
    ----------
    strategy : str
        By its command-line name.
    peers : mapping of str to str
        What a peer calls the same algorithm.
    targets : mapping of str to Target
        For the ratio to each peer that has one.
    settings : mapping
        Of ours, beside the population.
    workload : population.Case
    """

    strategy: str
    peers: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    workload: population.Case = field(default_factory=lambda: population.Case("elman", 32, 256))

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return self.strategy

    @property
    def title(self) -> str:
        """Strategy and sizes of the row."""
        return f"{self.strategy}, {self.workload.title}"


def measure(case: Case, session: Session) -> Row:
    """Time a generation, ours and the peers'."""
    network, genomes, batch = population.workload(case.workload)
    settings = {"population": len(genomes), **case.settings}
    strategy = make_strategy(case.strategy, settings)
    problem = Problem(network, batch)
    state = strategy.start(problem, np.random.default_rng(0))
    for _ in range(2):  # the first generation of some is the start population, which costs them nothing
        state = strategy.step(problem, state)
    tally = []

    def call() -> None:
        nonlocal state
        before = problem.meter.evaluations
        state = strategy.step(problem, state)
        tally.append(problem.meter.evaluations - before)

    remarks: list[str] = []
    others: list[Contender] = []
    weights = _used(case.workload.cell, stacked(network, genomes))
    for peer, algorithm in case.peers.items():
        others += session.invite(
            peer,
            partial(_peer_strategy, algorithm, case.workload.cell, weights, batch),
            remarks,
            case.targets.get(peer),
        )
    ours = Contender("evorrn", call, lambda: [-network.fitness(genomes, batch)])
    mine, findings = session.contest(ours, others, remarks, statistic=GROUP.statistic)
    numbers = {
        "evaluated": float(np.mean(tally)),
        "generations_per_second": 1 / getattr(mine, GROUP.statistic),
    }
    return Row(case.name, case.title, mine, findings, numbers, remarks)


def _peer_strategy(algorithm: str, cell: str, weights: Weights, batch: Batch, peer: ModuleType) -> Contender:
    return peer.strategy(algorithm, cell, weights, batch)


def _used(cell: str, weights: Weights) -> Weights:
    """Return the weights without the second bias where nothing reads it, so that all search as many genes."""
    return {name: values for name, values in weights.items() if cell == "gru" or name != "recurrent_bias"}


GROUP = Group(
    "strategies",
    "one generation of P individuals, sampled, evaluated and told, float32",
    (
        Case("truncation-ga", {"evosax": "SimpleGA"}, LINEAR),
        Case("openai-es", {"evosax": "Open_ES"}, LINEAR),
        Case("pgpe", {"evosax": "PGPE", "evotorch": "PGPE"}, LINEAR),
        Case("snes", {"evosax": "SNES", "evotorch": "SNES"}, LINEAR),
        Case("xnes", {"evosax": "xNES", "evotorch": "XNES"}, CUBIC),
        Case("cma-es", {"evosax": "CMA_ES", "evotorch": "CMAES"}, CUBIC),
        Case("sep-cma-es", {"evosax": "Sep_CMA_ES", "evotorch": "CMAES, separable"}, LINEAR),
        Case("lm-ma-es", {"evosax": "LM_MA_ES"}, LINEAR),
        Case("de", {"evosax": "DifferentialEvolution"}, LINEAR),
        Case("shade"),
        Case("pso", {"evosax": "PSO"}, LINEAR),
        Case("one-plus-one-es"),
        Case("cosyne", {"evotorch": "Cosyne"}),
        Case("esp", settings=NEURONS),
        Case("evolino", settings=NEURONS),
    ),
    measure,
    statistic="median",
)
