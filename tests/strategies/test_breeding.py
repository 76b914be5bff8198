"""Selection, crossover and mutation of whole populations against their definitions and the operators for one individual."""

import math

import numpy as np
import pytest
from stand_in import problem

from evorrn import GeneticAlgorithm
from evorrn.strategies.evolution import toolbox
from evorrn.strategies.evolution.breeding import Children, cross, mutate, mutated_genes, select
from evorrn.strategies.evolution.units import units

LAYOUT = {"layer0.U": (2, 2), "layer0.b": (2,), "readout.W": (1, 4)}


def frequencies(settings, fitness, draws=60_000):
    chosen = select(settings, fitness, draws, np.random.default_rng(0))
    return np.bincount(chosen, minlength=len(fitness)) / draws


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_a_tournament_of_all_ranks_draws_each_with_its_probability(size):
    """The k-th best of P wins a tournament of s with probability ((P - k + 1)^s - (P - k)^s) / P^s."""
    fitness = np.array([3.0, -np.inf, 7.0, 1.0, 2.0])
    ranks = (-fitness).argsort().argsort()
    wanted = ((5.0 - ranks) ** size - (4.0 - ranks) ** size) / 5.0**size
    np.testing.assert_allclose(
        frequencies(GeneticAlgorithm(population=5, tournament_size=size), fitness), wanted, atol=0.01
    )


def test_of_equal_fitness_none_is_preferred():
    for selection in ("tournament", "roulette"):
        settings = GeneticAlgorithm(population=4, selection=selection, tournament_size=3)
        found = frequencies(settings, np.zeros(4))
        wanted = np.full(4, 0.25) if selection == "tournament" else np.arange(1, 5) / 10
        np.testing.assert_allclose(found, wanted, atol=0.01)


def test_truncation_and_ranked_roulette_follow_their_definitions():
    fitness = np.array([5.0, 9.0, 1.0, 7.0, 3.0])
    best = frequencies(GeneticAlgorithm(population=5, selection="truncation", truncation=0.3), fitness)
    np.testing.assert_allclose(best, [0, 0.5, 0, 0.5, 0], atol=0.01)
    ranked = frequencies(GeneticAlgorithm(population=5, selection="roulette"), fitness)
    np.testing.assert_allclose(ranked, np.array([3, 5, 1, 4, 2]) / 15, atol=0.01)


def children(count, genes, sizes=0, seed=0):
    rng = np.random.default_rng(seed)
    return Children(
        rng.standard_normal((count, genes)),
        rng.random((count, sizes)),
        np.zeros(count),
        np.zeros(count, dtype=bool),
    )


@pytest.mark.parametrize("crossover", ["simulated-binary", "blend", "uniform", "one-point"])
@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_pairs_of_neighbours_cross_over_as_one_pair_does(crossover, count):
    settings = GeneticAlgorithm(crossover=crossover, crossover_probability=0.6)
    each = units(LAYOUT, "neuron")
    made = children(count, each.size, 2)
    before = children(count, each.size, 2)
    cross(settings, each, made, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    pairs = [2 * pair for pair, draw in enumerate(rng.random(count // 2)) if draw < 0.6]
    kernel, parameters = toolbox.crossover_kernel(settings)
    for first, draws in zip(pairs, rng.random((len(pairs), each.max() + 1))):
        kernel(before.genomes[first], before.genomes[first + 1], *parameters, each, draws)
        before.sizes[first : first + 2] = before.sizes[first : first + 2].mean(axis=0)
        before.changed[first : first + 2] = True
    np.testing.assert_array_equal(made.genomes, before.genomes)
    np.testing.assert_allclose(made.sizes, before.sizes)
    np.testing.assert_array_equal(made.changed, before.changed)


@pytest.mark.parametrize("unit", ["gene", "block", "neuron"])
@pytest.mark.parametrize("rate", [1e-300, 0.05, 0.3, 1.0])
def test_units_mutate_with_their_rate_and_one_at_least(unit, rate):
    each = units(LAYOUT, unit)
    count, rows = each.max() + 1, 3000
    row, gene = mutated_genes(rate, each, rows, np.random.default_rng(1))
    hit = np.zeros((rows, each.size), dtype=int)
    np.add.at(hit, (row, gene), 1)
    assert hit.max() == 1
    chosen = np.stack([hit[:, each == number].min(axis=1) for number in range(count)], axis=1)
    np.testing.assert_array_equal(hit, chosen[:, each])  # the genes of a unit together
    assert chosen.sum(axis=1).min() >= 1
    wanted = rate + (1 - rate) ** count / count  # where none was chosen, one of all
    np.testing.assert_allclose(chosen.mean(axis=0), wanted, atol=4 * math.sqrt(0.25 / rows))
    both = (chosen[:, 0] & chosen[:, 1]).mean()
    assert both == pytest.approx(rate**2, abs=4 * math.sqrt(0.25 / rows))


@pytest.mark.parametrize(("adaptation", "sizes"), [("none", 0), ("individual", 1), ("block", 3)])
def test_mutations_have_the_sizes_of_their_individual(adaptation, sizes):
    """Only individuals of the rows given change, and sizes only where one of their genes mutates."""
    settings = GeneticAlgorithm(
        adaptation=adaptation, mutation_rate=0.2, mutation_size=0.5, step_sizes={"readout": 3.0}
    )
    search = settings.search(np.zeros(10), layout=LAYOUT)
    state = {**search.state, "generation": 1}
    made, before = children(4000, 10, sizes), children(4000, 10, sizes)
    rows = np.arange(1, 4000, 2)
    mutate(settings, state, made, rows, np.random.default_rng(0))
    np.testing.assert_array_equal(made.genomes[::2], before.genomes[::2])
    np.testing.assert_array_equal(made.sizes[::2], before.sizes[::2])
    assert made.changed[1::2].all() and not made.changed[::2].any()
    change = (made.genomes - before.genomes)[1::2]
    blocks = state["size_blocks"]
    factors = np.repeat([1.0, 3.0], [6, 4])
    if adaptation == "none":
        scale = np.broadcast_to(0.5 * state["spread"] * factors, change.shape)
    else:
        scale = made.sizes[1::2][:, blocks] * factors
        grown = np.log(made.sizes / before.sizes)[1::2]
        touched = np.stack([(change != 0)[:, blocks == block].any(axis=1) for block in range(sizes)], axis=1)
        np.testing.assert_array_equal(grown != 0, touched)
        wanted = 1 / 10 if sizes == 1 else 1 / 20 + 1 / (2 * math.sqrt(10))
        assert grown[touched].var() == pytest.approx(wanted, rel=0.1)
    standard = (change / scale)[change != 0]
    assert abs(standard.mean()) < 0.05 and standard.std() == pytest.approx(1.0, rel=0.03)


def test_a_generation_without_a_toolbox_makes_no_individuals_one_by_one(monkeypatch):
    """Selection and variation took 20 ms of Python for 256 individuals of 1,185 genes."""
    from evorrn.strategies.evolution import offspring

    def refuse(*_, **__):
        raise AssertionError

    for name in ("varAnd", "individual", "individuals", "make_toolbox", "seeded"):
        monkeypatch.setattr(offspring, name, refuse)
    strategy, asked = GeneticAlgorithm(population=6), problem()
    state = strategy.start(asked, np.random.default_rng(0))
    for _ in range(4):
        state = strategy.step(asked, state)
    assert asked.meter.evaluations > 6
