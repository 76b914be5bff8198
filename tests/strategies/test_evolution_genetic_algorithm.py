"""The genetic algorithm: learning, reproducible bytes, and fitness that is not finite."""

import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from deap import tools
from stand_in import TRUTH, problem

import evorrn
from evorrn import CMAES, Budget, GeneticAlgorithm
from evorrn.base.errors import ConfigError, EvorrnError, RunError, ShapeError
from evorrn.base.files import tree_bytes
from evorrn.strategies.base import generator
from evorrn.strategies.evolution.individuals import Individual, individual, logbook
from evorrn.strategies.evolution.variation import seeded, select_ranked_roulette, select_truncation

CROSSOVERS = ("simulated-binary", "blend", "uniform", "one-point")
SELECTIONS = ("tournament", "truncation", "roulette")
LAYOUT = {"layer0.U": (2, 2), "layer0.b": (2,), "readout.W": (1, 4)}


def sphere(genomes):
    return -np.sum((genomes - 1.5) ** 2, axis=1)


def rosenbrock(genomes):
    return -np.sum(100 * (genomes[:, 1:] - genomes[:, :-1] ** 2) ** 2 + (1 - genomes[:, :-1]) ** 2, axis=1)


def run(search, function, generations):
    for _ in range(generations):
        genomes = search.ask()
        search.tell(genomes, function(genomes))
    return search


@pytest.mark.parametrize("crossover", CROSSOVERS)
@pytest.mark.parametrize("function", [sphere, rosenbrock])
def test_beats_random_search_by_a_wide_margin(crossover, function):
    search = GeneticAlgorithm(population=64, crossover=crossover).search(np.zeros(10), seed=0)
    while not search.done(Budget(evaluations=5_000)):
        genomes = search.ask()
        search.tell(genomes, function(genomes))
    drawn = np.random.default_rng(0).standard_normal((search.evaluations, 10))
    assert search.best.fitness == function(search.best.genome[None])[0]
    assert -search.best.fitness < 0.2 * -function(drawn).max()


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("unit", ["gene", "block", "neuron"])
def test_every_selection_and_unit_learns(selection, unit):
    strategy = GeneticAlgorithm(population=40, selection=selection, crossover_unit=unit, mutation_unit=unit)
    search = strategy.search(np.zeros(10), seed=1, layout=LAYOUT)
    first = run(search, sphere, 1).best.fitness
    assert run(search, sphere, 60).best.fitness > 0.3 * first


def test_asks_for_those_that_changed_and_keeps_the_fitness_of_the_others():
    strategy = GeneticAlgorithm(population=50, elite=2, crossover_probability=0.5, mutation_probability=0.2)
    search = strategy.search(np.zeros(6), seed=0)
    asked = []
    for _ in range(30):
        genomes = search.ask()
        asked.append(len(genomes))
        search.tell(genomes, sphere(genomes))
        np.testing.assert_array_equal(search.state["fitness"], sphere(search.state["population"]))
    assert asked[0] == 50
    assert search.evaluations == sum(asked)
    # of 48 children a share of 1 - (1 - 0.5) (1 - 0.2) = 0.6 changes
    assert abs(np.mean(asked[1:]) - 0.6 * 48) < 3


def test_elites_are_distinct_and_never_lost():
    strategy = GeneticAlgorithm(population=12, elite=3, crossover="one-point", mutation_rate=0.2)
    search = strategy.search(np.zeros(4), seed=0)
    seen = {}
    for _ in range(40):
        genomes = search.ask()
        search.tell(genomes, sphere(genomes))
        seen.update({genome.tobytes(): value for genome, value in zip(genomes, sphere(genomes))})
        best = sorted(seen.values(), reverse=True)[:3]
        assert search.state["elite_fitness"].tolist() == best
        assert len({genome.tobytes() for genome in search.state["elite_genomes"]}) == 3
        previous = search.state["elite_genomes"]
        search.ask()
        np.testing.assert_array_equal(search.state["population"][:3], previous)


def test_without_elites_the_best_so_far_is_still_known():
    search = GeneticAlgorithm(population=6, elite=0, mutation_size=5.0).search(np.zeros(3), seed=0)
    best, lost = -np.inf, 0
    for _ in range(30):
        genomes = search.ask()
        best = max(best, sphere(genomes).max())
        search.tell(genomes, sphere(genomes))
        assert search.best.fitness == best
        lost += search.state["fitness"].max() < best
    assert lost > 0


@pytest.mark.parametrize("crossover", CROSSOVERS)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_resumed_is_undisturbed_bit_for_bit(tmp_path, crossover, selection):
    strategy = GeneticAlgorithm(population=16, crossover=crossover, selection=selection, mutation_decay=0.9)
    whole = run(strategy.search(np.zeros(5), seed=3), sphere, 9)
    parts = strategy.search(np.zeros(5), seed=3)
    for generation in range(9):
        if generation == 4:
            parts.ask()  # stopped between ask and tell
        parts.save(tmp_path / "search.npz")
        parts = run(evorrn.load_search(tmp_path / "search.npz"), sphere, 1)
    assert tree_bytes(parts.state) == tree_bytes(whole.state)
    assert parts.history == whole.history
    assert (parts.evaluations, parts.generations) == (whole.evaluations, 9)
    other = run(strategy.search(np.zeros(5), seed=4), sphere, 9)
    assert tree_bytes(other.state) != tree_bytes(whole.state)


def test_global_generators_stay_as_they_were_and_do_not_matter():
    runs = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = random.getstate(), tree_bytes(list(np.random.get_state()))  # noqa: NPY002
        runs.append(run(GeneticAlgorithm(population=8).search(np.zeros(3)), sphere, 5))
        assert (random.getstate(), tree_bytes(list(np.random.get_state()))) == before  # noqa: NPY002
    assert tree_bytes(runs[0].state) == tree_bytes(runs[1].state)


def test_global_generators_are_restored_after_an_error():
    before = random.getstate()
    with pytest.raises(ZeroDivisionError), seeded(np.random.default_rng(0), globally=True):
        1 / random.randrange(1)
    assert random.getstate() == before


@pytest.mark.parametrize("strategy", [GeneticAlgorithm(population=8), CMAES()])
def test_other_threads_that_draw_change_nothing_and_are_not_disturbed(strategy):
    """Three searches in parallel, and a thread that keeps drawing from both global generators."""
    wanted = [tree_bytes(run(strategy.search(np.zeros(3), seed=seed), sphere, 60).state) for seed in range(3)]
    stop, drawn = threading.Event(), []

    def draw():
        while not stop.is_set():
            drawn.append((random.random(), np.random.random()))  # noqa: NPY002

    noise, pause = threading.Thread(target=draw), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        noise.start()
        with ThreadPoolExecutor(3) as pool:
            searches = [strategy.search(np.zeros(3), seed=seed) for seed in range(3)]
            found = list(pool.map(lambda search: tree_bytes(run(search, sphere, 60).state), searches))
    finally:
        stop.set()
        noise.join()
        sys.setswitchinterval(pause)
    assert found == wanted
    assert len(set(drawn)) == len(drawn)  # a restored generator would repeat its numbers


def test_deap_draws_the_numbers_that_python_would():
    seed = int(np.random.default_rng(0).integers(2**32))
    crowd = [individual(np.zeros(1), float(value)) for value in range(50)]
    with seeded(np.random.default_rng(0)):
        chosen = tools.selTournament(crowd, 50, tournsize=3)
    with seeded(np.random.default_rng(0), globally=True):
        assert random.random() == random.Random(seed).random()
        random.seed(seed)
        assert [id(each) for each in tools.selTournament(crowd, 50, tournsize=3)] == list(map(id, chosen))
    assert tools.selection.random is random


def test_ask_and_tell_leave_the_state_given_as_it_was():
    strategy = GeneticAlgorithm(population=10)
    state = run(strategy.search(np.zeros(3)), sphere, 2).state
    before = tree_bytes(state)
    asked, genomes = strategy.ask(state)
    middle = tree_bytes(asked)
    strategy.tell(asked, genomes, sphere(genomes))
    again, same = strategy.ask(state)
    assert tree_bytes(state) == before
    assert tree_bytes(asked) == middle == tree_bytes(again)
    np.testing.assert_array_equal(same, genomes)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_fitness_that_is_not_finite_never_wins_and_never_ends_the_run(selection):
    def torn(genomes):
        values = sphere(genomes)
        values[::3], values[1::3] = np.nan, np.inf
        return values

    search = run(GeneticAlgorithm(population=12, selection=selection).search(np.zeros(3)), torn, 20)
    assert np.isfinite(search.best.fitness)
    assert search.best.fitness == sphere(search.best.genome[None])[0]
    assert min(search.history["diverged"]) > 0


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_population_without_any_finite_fitness(selection):
    search = GeneticAlgorithm(population=8, selection=selection).search(np.zeros(3))
    run(search, lambda genomes: np.full(len(genomes), np.nan), 3)
    assert search.best.genome is None and search.best.fitness == -np.inf
    assert search.history["diverged"] == [8, 8, 8]
    assert np.isnan(search.history["fitness_mean"]).all()
    run(search, sphere, 1)
    assert np.isfinite(search.best.fitness)


def test_the_smallest_population():
    search = run(GeneticAlgorithm(population=2).search(np.zeros(1)), sphere, 200)
    assert search.best.fitness > -0.01


def test_every_generation_evaluates_at_least_one_individual():
    strategy = GeneticAlgorithm(population=2, elite=1, crossover_probability=0, mutation_probability=1e-9)
    search = strategy.search(np.zeros(3))
    run(search, sphere, 5)
    assert search.evaluations == 2 + 4


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_mutation_size_follows_the_start_population_and_decays(spread):
    """Without crossover and with a single parent, the difference to it is the mutation."""
    strategy = GeneticAlgorithm(
        population=300,
        elite=0,
        selection="truncation",
        truncation=1e-9,
        crossover_probability=0,
        mutation_rate=1,
        mutation_size=0.5,
        mutation_decay=0.8,
    )
    search = run(strategy.search(np.zeros(40), spread=spread), sphere, 1)
    for generation in range(4):
        state = search.state
        parent = state["population"][state["fitness"].argmax()]
        genomes = search.ask()
        size = 0.5 * 0.8**generation * (spread or 1.0)
        assert abs((genomes - parent).std() / size - 1) < 0.03
        search.tell(genomes, sphere(genomes))


def test_a_mutation_changes_its_share_of_genes_and_one_at_least():
    def changed(rate, unit):
        strategy = GeneticAlgorithm(
            population=300,
            elite=0,
            selection="truncation",
            truncation=1e-9,
            crossover_probability=0,
            mutation_rate=rate,
            mutation_unit=unit,
        )
        search = run(strategy.search(np.zeros(10), layout=LAYOUT), sphere, 1)
        parent = search.state["population"][search.state["fitness"].argmax()]
        return (search.ask() != parent).sum(axis=1)

    assert set(changed(1e-9, "gene")) == {1}
    assert set(changed(1e-9, "block")) == {4, 2}
    assert set(changed(1e-9, "neuron")) == {3, 4}
    assert set(changed(1.0, "gene")) == {10}
    assert abs(changed(0.5, "gene").mean() - 5) < 0.3


def test_the_genes_of_a_block_cross_over_together():
    strategy = GeneticAlgorithm(
        population=30,
        elite=0,
        crossover="uniform",
        crossover_unit="block",
        crossover_probability=1,
        mutation_probability=0,
    )
    search = run(strategy.search(np.zeros(10), layout=LAYOUT), sphere, 1)
    parents, mixed = search.state["population"], 0
    for child in search.ask():
        sources = []
        for start, stop in ((0, 4), (4, 6), (6, 10)):
            (match,) = np.flatnonzero((parents[:, start:stop] == child[start:stop]).all(axis=1))
            sources.append(match)
        mixed += len(set(sources)) > 1
    assert mixed > 10


def test_selections_follow_their_definition():
    crowd = [individual(np.zeros(1), float(value)) for value in range(10)]
    with seeded(np.random.default_rng(0)):
        best = select_truncation(crowd, 2000, 3)
        spun = select_ranked_roulette(crowd, 11_000)
    assert {chosen.fitness.values[0] for chosen in best} == {7.0, 8.0, 9.0}
    counts = np.bincount([int(chosen.fitness.values[0]) for chosen in spun])
    np.testing.assert_allclose(counts, 11_000 * np.arange(1, 11) / 55, rtol=0.2)


def test_an_individual_is_an_array_that_carries_its_fitness():
    import copy

    genes = np.arange(3.0)
    made = individual(genes, -2.0)
    assert isinstance(made, Individual) and np.shares_memory(made, genes)
    twin = copy.deepcopy(made)
    assert twin.fitness.values == (-2.0,) and not np.shares_memory(twin, made)
    assert individual(genes, -1.0).fitness > made.fitness
    assert not individual(genes).fitness.valid


def test_one_step_of_training_asks_the_problem_once():
    asked, strategy = problem(), GeneticAlgorithm(population=20)
    calls = []
    whole = asked.fitness
    asked.fitness = lambda genomes: calls.append(len(genomes)) or whole(genomes)
    state = strategy.start(asked, np.random.default_rng(0))
    for _ in range(40):
        state = strategy.step(asked, state)
    assert len(calls) == 40 and calls[0] == 20 and max(calls[1:]) < 20
    assert asked.meter.evaluations == sum(calls)
    assert state["train_loss"] == -whole(state["candidate"][None])[0] < 0.01
    np.testing.assert_allclose(state["candidate"], TRUTH, atol=0.2)
    assert isinstance(generator(state), np.random.Generator)


def test_the_logbook_is_deaps():
    search = run(GeneticAlgorithm(population=10).search(np.zeros(3)), sphere, 4)
    book = logbook(search.history)
    assert book.select("generation") == [0, 1, 2, 3]
    assert book.select("fitness_best") == search.history["fitness_best"]
    assert "fitness_mean" in str(book)
    assert book.select("best_fitness")[-1] == search.best.fitness
    assert search.history["evaluations"] == list(np.cumsum(search.history["evaluated"]))


def test_statistics_are_those_of_the_population():
    search = run(GeneticAlgorithm(population=10).search(np.zeros(3)), sphere, 3)
    fitness = sphere(search.state["population"])
    record = search.state["record"]
    assert record["fitness_best"] == fitness.max()
    np.testing.assert_allclose(
        [record["fitness_mean"], record["fitness_std"]], [fitness.mean(), fitness.std()]
    )


def test_settings_say_what_they_expect():
    with pytest.raises(ConfigError, match="population: expected a value >= 2, got 1"):
        GeneticAlgorithm(population=1)
    with pytest.raises(ConfigError, match="elite: expected fewer than the population of 4, got 4"):
        GeneticAlgorithm(population=4, elite=4)
    with pytest.raises(ConfigError, match="mutation_probability: expected more than 0"):
        GeneticAlgorithm(crossover_probability=0.0, mutation_probability=0.0)
    with pytest.raises(ConfigError, match="did you mean 'one-point'"):
        GeneticAlgorithm(crossover="onepoint")
    with pytest.raises(ConfigError) as error:
        GeneticAlgorithm(population=0, tournament_size=0, mutation_size=0.0)
    assert len(error.value.problems) == 3


def test_a_search_refuses_what_it_cannot_use(tmp_path):
    strategy = GeneticAlgorithm(population=4)
    with pytest.raises(ShapeError, match="finite vector"):
        strategy.search(np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="blocks of 3 genes"):
        strategy.search(np.zeros(3), layout={"a": (2,)})
    search = strategy.search(np.zeros(3))
    with pytest.raises(EvorrnError, match="expected a call of ask"):
        search.tell(np.zeros((4, 3)), np.zeros(4))
    genomes = search.ask()
    np.testing.assert_array_equal(search.ask(), genomes)
    with pytest.raises(ShapeError, match="genomes of the last ask"):
        search.tell(genomes + 1, np.zeros(4))
    with pytest.raises(ShapeError, match="fitness of shape"):
        search.tell(genomes, np.zeros(3))
    for budget in (Budget(), Budget(work=10), "60s"):
        with pytest.raises(ConfigError, match="evaluations, generations and loss"):
            search.done(budget)
    assert not search.done("1gen")
    search.tell(genomes, np.zeros(4))
    assert search.done("1gen") and search.done(Budget(loss=0.0)) and not search.done("5eval")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(RunError):
        evorrn.load_search(tmp_path / "junk.npz")
