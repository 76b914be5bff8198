"""The genetic algorithm: mutation sizes that evolve, a user's toolbox, and settings that all searches share."""

import math
import random

import numpy as np
import pytest
from deap import base, tools
from stand_in import problem

import evorrn
from evorrn import GeneticAlgorithm
from evorrn.base.errors import ConfigError, RunError, ShapeError
from evorrn.base.files import tree_bytes
from evorrn.strategies.evolution.individuals import individual
from evorrn.strategies.evolution.variation import mate, mutate_adapting
from evorrn.testing import check_strategy

LAYOUT = {"layer0.U": (2, 2), "layer0.b": (2,), "readout.W": (1, 4)}


def sphere(genomes):
    return -np.sum((genomes - 1.5) ** 2, axis=1)


def run(search, function, generations):
    for _ in range(generations):
        genomes = search.ask()
        search.tell(genomes, function(genomes))
    return search


# ------------------------------------------------------------------------- mutation sizes that evolve


@pytest.mark.parametrize("count", [1, 3])
def test_sizes_change_by_a_log_normal_factor_and_then_the_genes_by_them(count):
    genes = 8
    blocks = np.arange(genes) % count
    factors = np.linspace(1, 2, genes)
    chromosome = individual(np.zeros(genes), sizes=np.full(count, 0.5))
    rng = np.random.default_rng(3)
    gene_units = {"units": np.arange(genes), "count": genes, "rate": 1.0}
    mutate_adapting(chromosome, blocks=blocks, factors=factors, rng=rng, **gene_units)
    rng = np.random.default_rng(3)
    rng.random(genes)
    if count == 1:
        sizes = 0.5 * np.exp(rng.standard_normal(1) / math.sqrt(genes))
    else:
        common = rng.standard_normal() / math.sqrt(2 * genes)
        sizes = 0.5 * np.exp(common + rng.standard_normal(count) / math.sqrt(2 * math.sqrt(genes)))
    np.testing.assert_allclose(chromosome.sizes, sizes)
    np.testing.assert_allclose(chromosome, sizes[blocks] * factors * rng.standard_normal(genes))


def test_sizes_by_which_nothing_mutates_stay():
    blocks = np.repeat([0, 1, 2], 2)
    chromosome = individual(np.zeros(6), sizes=np.ones(3))
    rng = np.random.default_rng(0)
    mutate_adapting(
        chromosome, blocks=blocks, factors=np.ones(6), units=np.arange(6), count=6, rate=1e-9, rng=rng
    )
    changed = np.flatnonzero(chromosome)
    assert changed.size == 1 and np.flatnonzero(chromosome.sizes != 1).tolist() == [blocks[changed[0]]]


def test_children_of_a_crossover_have_the_mean_of_their_parents_sizes():
    def kernel(first, second, units, draws):
        first[:], second[:] = 1, 2

    one = individual(np.zeros(2), sizes=np.array([1.0, 4.0]))
    two = individual(np.zeros(2), sizes=np.array([3.0, 0.0]))
    mate(one, two, kernel=kernel, parameters=(), units=np.arange(2), count=2, rng=np.random.default_rng(0))
    assert one.sizes.tolist() == two.sizes.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("adaptation", ["individual", "block"])
def test_adapted_sizes_shrink_where_the_optimum_is_near(adaptation):
    """Evolving mutation sizes come much nearer to the optimum than a fixed size."""
    errors = {}
    for way in ("none", adaptation):
        strategy = GeneticAlgorithm(population=64, adaptation=way, mutation_rate=0.5)
        search = strategy.search(np.zeros(10), seed=0, layout=LAYOUT)
        errors[way] = -run(search, sphere, 150).best.fitness
    assert errors[adaptation] < 1e-4 * errors["none"]
    assert search.state["sizes"].shape == (64, 1 if adaptation == "individual" else 3)
    name = "mutation_size" if adaptation == "individual" else "mutation_size.1"
    assert search.history[name][-1] < 1e-2 * search.history[name][0]


def test_elites_keep_the_sizes_that_made_them():
    strategy = GeneticAlgorithm(population=8, elite=2, adaptation="block")
    search = strategy.search(np.zeros(10), seed=1, layout=LAYOUT)
    seen = {}
    for _ in range(12):
        genomes = search.ask()
        pending = np.isnan(search.state["fitness"])
        seen.update({g.tobytes(): s for g, s in zip(genomes, search.state["sizes"][pending])})
        search.tell(genomes, sphere(genomes))
        for genome, sizes in zip(search.state["elite_genomes"], search.state["elite_sizes"]):
            np.testing.assert_array_equal(sizes, seen[genome.tobytes()])


# ------------------------------------------------------------------------------------ a user's toolbox


def deaps():
    """Return DEAP's own operators, which draw from Python's generator."""
    box = base.Toolbox()
    box.register("select", tools.selTournament, tournsize=3)
    box.register("mate", tools.cxBlend, alpha=0.3)
    box.register("mutate", tools.mutGaussian, mu=0, sigma=0.1, indpb=0.3)
    return box


def test_deaps_own_operators_learn_and_leave_the_global_generators_alone():
    before = random.getstate()
    search = GeneticAlgorithm(population=40, toolbox=deaps()).search(np.zeros(6), seed=0)
    first = run(search, sphere, 1).best.fitness
    assert run(search, sphere, 60).best.fitness > 0.02 * first
    assert random.getstate() == before


def test_a_generation_of_deaps_operators_is_that_of_deaps_algorithm():
    """The same seed of Python's generator gives the same children as `varAnd` on lists."""
    from deap.algorithms import varAnd

    class Fitness(base.Fitness):
        weights = (1.0,)

    class Chromosome(list):
        def __init__(self, genes):
            super().__init__(genes)
            self.fitness = Fitness()

    search = run(GeneticAlgorithm(population=10, elite=0, toolbox=deaps()).search(np.zeros(4)), sphere, 1)
    rng = evorrn.strategies.base.generator(search.state)
    crowd = [Chromosome(genes) for genes in search.state["population"].tolist()]
    for each in crowd:
        each.fitness.values = (float(sphere(np.array([each]))[0]),)
    mine, state = deaps(), random.getstate()
    random.seed(int(rng.integers(2**32)))
    children = varAnd(mine.select(crowd, 10), mine, 0.5, 1.0)
    random.setstate(state)
    np.testing.assert_allclose(search.ask(), children, rtol=1e-14)


def test_a_search_with_a_toolbox_goes_on_bit_for_bit(tmp_path):
    strategy = GeneticAlgorithm(population=12, toolbox=deaps())
    whole = run(strategy.search(np.zeros(5), seed=3), sphere, 8)
    parts = run(strategy.search(np.zeros(5), seed=3), sphere, 3)
    parts.save(tmp_path / "search.npz")
    with pytest.raises(ConfigError, match=r"toolbox: expected a deap\.base\.Toolbox made in Python"):
        evorrn.load_search(tmp_path / "search.npz")
    with pytest.raises(RunError, match="with all its settings"):
        evorrn.load_search(tmp_path / "search.npz", strategy=GeneticAlgorithm(population=12))
    parts = evorrn.load_search(tmp_path / "search.npz", strategy=strategy)
    assert tree_bytes(run(parts, sphere, 5).state) == tree_bytes(whole.state)


def test_what_a_toolbox_lacks_is_ours_and_what_it_returns_counts():
    """An operator may return new arrays; selection and crossover here are those of the settings."""
    box = base.Toolbox()
    box.register("mutate", lambda chromosome: (np.full(len(chromosome), 7.0),))
    search = run(GeneticAlgorithm(population=6, elite=1, toolbox=box).search(np.zeros(3)), sphere, 1)
    np.testing.assert_array_equal(search.ask(), np.full((5, 3), 7.0))


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("select", lambda crowd, k: crowd[:1], "toolbox.select: expected 5 of the individuals given, got 1"),
        ("mate", lambda one, two: one, "toolbox.mate: expected a tuple of 2"),
        ("mutate", lambda one: (one[:2],), r"toolbox.mutate: expected a tuple of 1 with shape \(3,\)"),
    ],
)
def test_operators_that_return_something_else_are_named(name, function, message):
    box = base.Toolbox()
    box.register(name, function)
    search = run(
        GeneticAlgorithm(population=6, toolbox=box, crossover_probability=1.0).search(np.zeros(3)), sphere, 1
    )
    with pytest.raises(ShapeError, match=message):
        search.ask()


def test_an_operator_that_raises_is_heard_and_the_state_kept():
    box = base.Toolbox()
    box.register("mutate", lambda chromosome: 1 / 0)
    search = run(GeneticAlgorithm(population=6, toolbox=box).search(np.zeros(3)), sphere, 1)
    before, python = tree_bytes(search.state), random.getstate()
    with pytest.raises(ZeroDivisionError):
        search.ask()
    assert tree_bytes(search.state) == before and random.getstate() == python


# ------------------------------------------------------------------------ settings of all searches


@pytest.mark.parametrize(
    "settings",
    [
        {"adaptation": "individual", "restart_after": 2, "population": 6},
        {"adaptation": "block", "sequences": 1, "finalists": 2, "lower": -0.5, "upper": 0.5},
        {"weight_decay": 0.1, "elite": 3, "mutation_probability": 0.3},
    ],
)
def test_the_contract_is_kept(settings):
    check_strategy(GeneticAlgorithm(**settings), problem, steps=6)


def test_genomes_stay_in_the_bounds():
    search = GeneticAlgorithm(population=20, lower=-0.3, upper=1.0, mutation_size=2.0).search(np.zeros(4))
    asked = []
    run(search, lambda genomes: asked.append(genomes) or sphere(genomes), 20)
    everything = np.concatenate(asked)
    assert -0.3 <= everything.min() < -0.29 and 0.99 < everything.max() <= 1.0
    np.testing.assert_allclose(search.best.genome, 1.0, atol=0.1)  # the optimum lies outside


def test_a_factor_of_a_block_multiplies_its_mutations():
    settings = {"population": 100, "elite": 0, "crossover_probability": 0.0, "mutation_rate": 1.0}
    search = GeneticAlgorithm(step_sizes={"readout": 1e-3}, **settings).search(np.zeros(10), layout=LAYOUT)
    run(search, lambda genomes: np.zeros(len(genomes)), 1)
    parents = search.state["population"]
    children = search.ask()
    nearest = [parents[np.abs(parents[:, 6:] - child[6:]).sum(axis=1).argmin()] for child in children]
    change = (children - nearest).std(axis=0)
    assert change[6:].max() < 3e-3 * change[:6].min()


def test_weight_decay_affects_selection_and_not_the_reported_fitness():
    """Selection and elites see the decay, the best so far is by raw fitness, and cached fitness stays raw."""
    strategy = GeneticAlgorithm(
        population=12, elite=2, weight_decay=3.0, mutation_probability=0.2, mutation_size=0.5
    )
    search, told = strategy.search(np.zeros(3), seed=0), {}
    for _ in range(60):
        genomes = search.ask()
        values = sphere(genomes)
        told.update({genome.tobytes(): (value, genome) for genome, value in zip(genomes, values)})
        search.tell(genomes, values)
        np.testing.assert_array_equal(search.state["fitness"], sphere(search.state["population"]))
        shaped = [value - 1.5 * genome @ genome for value, genome in told.values()]
        elites = search.state["elite_genomes"]
        np.testing.assert_allclose(
            search.state["elite_fitness"] - 1.5 * (elites**2).sum(axis=1), sorted(shaped, reverse=True)[:2]
        )
    assert search.best.fitness == max(value for value, _ in told.values())
    np.testing.assert_allclose(elites[0], 1.5 / 2.5, atol=0.1)  # where 3 w^2 / 2 + (w - 1.5)^2 is least


def test_on_some_sequences_all_individuals_are_evaluated_and_the_best_on_all_sequences():
    made = problem()
    calls, whole = [], made.fitness

    def fitness(genomes, sequences=None):
        calls.append((len(genomes), None if sequences is None else tuple(sequences)))
        return whole(genomes, sequences)

    made.fitness = fitness
    strategy = GeneticAlgorithm(population=8, sequences=2, finalists=3, mutation_probability=0.5)
    state = strategy.start(made, np.random.default_rng(0))
    best = -np.inf
    for _ in range(10):
        state = strategy.step(made, state)
        assert state["best_fitness"] >= best
        best = state["best_fitness"]
    assert [count for count, _ in calls] == [8, 3] * 10
    assert all(chosen is None for _, chosen in calls[1::2])
    assert len({chosen for _, chosen in calls[::2]}) > 3 and {len(chosen) for _, chosen in calls[::2]} == {2}
    assert made.meter.evaluations == 110
    assert best == whole(state["best_genome"][None])[0]


def test_a_restart_begins_elsewhere_and_loses_nothing():
    search = GeneticAlgorithm(population=6, restart_after=4).search(np.zeros(3), seed=0, spread=2.0)
    best, sizes = -np.inf, []
    for _ in range(60):
        genomes = search.ask()
        values = np.round(sphere(genomes))  # plateaus
        best = max(best, values.max())
        search.tell(genomes, values)
        sizes.append(len(genomes))
        assert search.best.fitness == best
    restarts = search.history["restarts"]
    assert restarts[-1] >= 2 and sorted(restarts) == restarts
    assert sizes.count(6) >= restarts[-1]  # a start population is evaluated completely, without elites


def test_wrong_settings_are_errors():
    with pytest.raises(ConfigError, match="upper: expected more than the lower bound 1, got 0"):
        GeneticAlgorithm(lower=1, upper=0)
    with pytest.raises(
        ConfigError, match=r"toolbox: expected a deap\.base\.Toolbox made in Python, got 'mine'"
    ):
        GeneticAlgorithm(toolbox="mine")
    with pytest.raises(ConfigError, match="adaptation: expected none with a toolbox that has its own mutate"):
        GeneticAlgorithm(toolbox=deaps(), adaptation="block")
    with pytest.raises(ConfigError, match="mutation_decay: expected 1"):
        GeneticAlgorithm(adaptation="block", mutation_decay=0.9)
    with pytest.raises(
        ConfigError, match=r"step_sizes\.readut: unknown block 'readut'; did you mean 'readout\.W'"
    ):
        GeneticAlgorithm(step_sizes={"readut": 2.0}).search(np.zeros(10), layout=LAYOUT)
