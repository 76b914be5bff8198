"""A strategy's own work, sampling, updating and decomposing, is charged where it is more than a tenth of its evaluations."""

import math

import numpy as np
import pytest

import evorrn
from evorrn import BPTT, CMAES, ESP, LMMAES, XNES, Batch, CoSyNE, Network, Problem, RandomSearch
from evorrn.strategies.find import strategies

PASSES = ("fitness", "loss_and_gradient", "states", "population_states", "validate")
VECTORS = [
    name
    for name, kind in strategies().items()
    if issubclass(kind, evorrn.EvolutionStrategy) and name not in ("evolino",)
]


def problem(hidden, sequences, steps):
    rng = np.random.default_rng(hidden)
    network = Network(1, 1, cell="elman", hidden=hidden)
    inputs, targets = rng.standard_normal((2, sequences, steps, 1))
    return Problem(network, Batch(inputs, targets))


def stepped(strategy, asked, count=3):
    """Return for each step the work of the problem's passes and the whole work, and the states after each."""
    passed = [0]

    def counting(method):
        def call(*given, **named):
            before = asked.meter.work
            result = method(*given, **named)
            passed[0] += asked.meter.work - before
            return result

        return call

    for name in PASSES:
        setattr(asked, name, counting(getattr(asked, name)))
    state = strategy.start(asked, np.random.default_rng(1))
    assert asked.meter.work == passed[0]
    work, states = [], []
    for _ in range(count):
        before = asked.meter.work
        passed[0] = 0
        state = strategy.step(asked, state)
        work.append((passed[0], asked.meter.work - before))
        states.append(state)
    return work, states


@pytest.mark.parametrize("name", [*VECTORS, "random", "bptt"])
def test_own_work_below_a_tenth_of_the_evaluations_costs_nothing(name):
    work, _ = stepped(strategies()[name](), problem(2, 40, 50))
    assert all(passes == whole for passes, whole in work)


@pytest.mark.parametrize("name", [*VECTORS, "random", "bptt"])
def test_own_work_is_charged_where_evaluations_are_cheap(name):
    """One sequence of one step: what a strategy draws and adds is more than a tenth of the network's passes."""
    work, _ = stepped(strategies()[name](), problem(6, 1, 1))
    assert all(whole > 1.1 * passes > 0 for passes, whole in work)


def test_cma_es_pays_for_samples_updates_and_decompositions_and_starts_without_any(monkeypatch):
    """The start used to decompose the identity, and nothing of this was charged."""
    decomposed = []
    eigh = np.linalg.eigh

    def counted(matrix):
        decomposed.append(len(matrix))
        return eigh(matrix)

    monkeypatch.setattr(np.linalg, "eigh", counted)
    asked = problem(13, 1, 20)
    size = asked.size
    population = 4 + int(3 * math.log(size))
    for active, ranked in ((True, population), (False, population // 2)):
        asked = problem(13, 1, 20)
        decomposed.clear()
        CMAES(active=active).start(asked, np.random.default_rng(0))
        assert decomposed == [] and asked.meter.work == 0
        work, states = stepped(CMAES(active=active), asked, 20)
        paid = 0
        for (passes, whole), state in zip(work, states):
            method = state["method"]
            own = 20 * population * size + (population + ranked + 5) * size**2
            if method["decomposed"] == method["update_count"]:
                own += 4.5 * size**3
                paid += 1
            assert whole == passes + int(own)
        assert paid == len(decomposed) >= 2
        assert paid < 20


@pytest.mark.parametrize("population", [8, 60])
def test_xnes_pays_for_the_exponential_of_its_matrix(population):
    asked = problem(4, 1, 2)
    n, p = asked.size, population
    work, _ = stepped(XNES(population=p), asked, 1)
    if p < n:
        exponential = 3 * n * p**2 + 4.5 * p**3 + 2 * n**2 * p + 3 * n**2
    else:
        exponential = p * n**2 + 4.5 * n**3 + 2 * n**3 + 3 * n**2
    assert work[0][1] - work[0][0] == int(20 * p * n + p * n**2 + exponential)


def test_other_formulas():
    asked = problem(4, 1, 2)
    n = asked.size
    (passes, whole), *_ = stepped(LMMAES(population=6, directions=3), asked)[0]
    assert whole - passes == 20 * 6 * n + 2 * 3 * 6 * n + 2 * 9 * n + 4 * 3 * n
    (passes, whole), *_ = stepped(ESP(population=5, trials=4), problem(4, 1, 2))[0]
    assert whole - passes == 10 * 20 * n + 10 * 5 * n
    (passes, whole), *_ = stepped(CoSyNE(population=8), problem(4, 1, 2))[0]
    assert whole - passes == int((40 + math.log2(8 * n)) * 8 * n)
    (passes, whole), *_ = stepped(RandomSearch(count=7), problem(4, 1, 2))[0]
    assert whole - passes == 10 * 7 * n
    (passes, whole), *_ = stepped(BPTT(batch_size=2), problem(4, 5, 1))[0]
    assert whole - passes == 15 * 3 * n


def test_own_work_in_a_second_stage_is_charged_as_well():
    strategy = evorrn.Then(RandomSearch(count=2), CMAES(), steps=1)
    work, _ = stepped(strategy, problem(8, 1, 2))
    passes, whole = work[-1]
    assert whole > 2 * passes
