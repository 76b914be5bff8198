"""CoSyNE: one generation by hand, properties of the permutation, evaluations and learning."""

import numpy as np
import pytest
from stand_in import problem

import evorrn
from evorrn import CoSyNE, Network, RandomSearch
from evorrn.base.errors import ConfigError
from evorrn.strategies.evolution.cosyne import marking_probabilities
from evorrn.strategies.evolution.units import neurons
from evorrn.testing import check_strategy


def sphere(genomes):
    return -np.sum((genomes - 1) ** 2, axis=1)


def ranked(count, genes, seed=0):
    """Return networks, the best first, and their fitness, some of it equal and some not finite."""
    rng = np.random.default_rng(seed)
    fitness = np.sort(rng.standard_normal(count))[::-1]
    fitness[3] = fitness[2]
    fitness[-2:] = -np.inf
    return rng.standard_normal((count, genes)), fitness


# ---------------------------------------------------------------------------------------- permutation


@pytest.mark.parametrize("permutation", ["fitness", "all"])
@pytest.mark.parametrize("seed", range(5))
def test_the_permutation_keeps_the_values_of_each_weight_and_the_best_network(permutation, seed):
    values, fitness = ranked(12, 40, seed)
    dealt = CoSyNE(permutation=permutation).permuted(values, fitness, np.random.default_rng(seed))
    assert not np.array_equal(dealt, values)
    np.testing.assert_array_equal(np.sort(dealt, axis=0), np.sort(values, axis=0))
    np.testing.assert_array_equal(dealt[0], values[0])


def test_a_network_stays_unchanged_with_a_probability_of_its_relative_fitness():
    """The probability that no value of a network is marked equals its relative fitness."""
    genes = 7
    fitness = np.array([5.0, 4.0, 2.0, 1.0])
    np.testing.assert_allclose((1 - marking_probabilities(fitness, genes)) ** genes, [1, 0.75, 0.25, 0])
    np.testing.assert_allclose(marking_probabilities(fitness, genes)[1], 1 - 0.75 ** (1 / 7))
    rng, whole, draws = np.random.default_rng(0), 0, 2000
    # With many networks of the worst fitness, a marked value keeps its position with probability 1/60 at most.
    fitness = np.concatenate([[5.0, 4.0], np.ones(60)])
    values = np.arange(62.0)[:, None] + np.zeros(genes)
    for _ in range(draws):
        whole += np.array_equal(CoSyNE().permuted(values, fitness, rng)[1], values[1])
    assert abs(whole / draws - 0.75) < 0.03


def test_marking_knows_networks_that_diverged_and_equal_ones():
    np.testing.assert_array_equal(marking_probabilities(np.array([3.0, 1.0, -np.inf]), 5), [0, 1, 1])
    np.testing.assert_array_equal(marking_probabilities(np.array([2.0, 2.0, 2.0]), 5), [0, 1, 1])


# ------------------------------------------------------------------------------ one generation by hand


def test_a_generation_is_as_by_hand():
    strategy = CoSyNE(population=8, mutation_rate=0.2, mutation_scale=0.5)
    search = strategy.search(np.zeros(6), seed=2)
    points = search.ask()
    fitness, deviation = sphere(points), search.state["method"]["deviation"]
    after = strategy.update(search.state["method"], points, fitness, np.random.default_rng(7))["values"]

    rng = np.random.default_rng(7)
    order = sorted(range(8), key=lambda j: -fitness[j])
    best = [points[j] for j in order]
    first, second = rng.integers(0, 2, (2, 4))  # the best quarter of eight
    swapped = rng.random((4, 6)) < 0.5
    mutated = rng.random((4, 6)) < 0.2
    forced = rng.integers(0, 6, 4)
    children = []
    for child in range(4):
        mutated[child, forced[child]] = True
        pair = best[first[child]], best[second[child]]
        children.append([pair[int(swapped[child, gene])][gene] for gene in range(6)])
    for child in range(4):
        for gene in range(6):
            if mutated[child, gene]:
                children[child][gene] += 0.5 * deviation * rng.standard_cauchy()
    staying = np.array(best[:4])
    worst, top = fitness[order[3]], fitness[order[0]]
    draws = rng.random((4, 6))
    marks = [
        (row, gene)
        for gene in range(6)
        for row in range(4)
        if row > 0 and draws[row, gene] < 1 - ((fitness[order[row]] - worst) / (top - worst)) ** (1 / 6)
    ]
    places = rng.random(len(marks))
    expected = staying.copy()
    for gene in range(6):
        rows = [row for row, place in marks if place == gene]
        keys = [key for key, (_, place) in zip(places, marks) if place == gene]
        for row, source in zip(rows, [rows[k] for k in np.argsort(keys)]):
            expected[row, gene] = staying[source, gene]
    np.testing.assert_allclose(after, np.concatenate([expected, children]), rtol=1e-13)


def test_one_point_crossover_takes_a_stretch_from_each_parent():
    strategy = CoSyNE(
        population=4, parents=0.5, crossover="one-point", mutation_rate=0, mutation_scale=1e-300
    )
    points = np.arange(4.0)[:, None] + np.zeros(30)
    method = {"values": points, "deviation": 1.0}
    for seed in range(20):
        after = strategy.update(method, points, -np.arange(4.0), np.random.default_rng(seed))["values"]
        for child in after[2:]:
            whole = child.round()
            assert set(whole) <= {0.0, 1.0} and np.count_nonzero(np.diff(whole)) <= 1


def test_segments_of_neurons_cross_over_alone_and_each_pair_has_two_children():
    """Within each neuron all weights before a cut come from one parent, all others from the second one."""
    network = Network(3, 1, cell="elman", hidden=4, biases=False)
    strategy = CoSyNE(
        population=8, parents=0.25, crossover="neuron-segments", mutation_rate=0, mutate_one=False
    )
    owner = neurons(network.blocks)
    points = np.arange(8.0)[:, None] + np.zeros(network.size)
    cuts = set()
    for seed in range(60):
        method = {"values": points, "deviation": 1.0, "owner": owner}
        after = strategy.update(method, points, -np.arange(8.0), np.random.default_rng(seed))["values"]
        one, two, three, four = after[4:]
        for first, second in ((one, three), (two, four)):
            assert set(first) | set(second) <= {0.0, 1.0}  # of the best quarter
            assert (first == second).all() or (first != second).all()  # what one has, the other has not
            if first[0] == second[0]:
                continue  # both parents were the same network
            for neuron in range(4):
                mine = first[owner == neuron]
                changes = np.flatnonzero(np.diff(mine))
                assert len(changes) == 1
                cuts.add(int(changes[0]))
    assert cuts == set(range(3 + 4 + 1 - 1))  # three inputs, four recurrent weights, one output


def test_an_odd_number_of_children_leaves_out_the_last_one():
    network = Network(2, 1, cell="elman", hidden=2)
    search = CoSyNE(population=9, offspring=0.33, crossover="neuron-segments").search(
        np.zeros(network.size), seed=0, layout=network.blocks
    )
    for _ in range(3):
        genomes = search.ask()
        assert genomes.shape == (9, network.size)
        search.tell(genomes, sphere(genomes))


@pytest.mark.parametrize("seed", range(4))
def test_all_values_are_permuted_the_best_network_included(seed):
    """As in the experiments of the paper, where only the weights of new children stay together."""
    values, fitness = ranked(12, 40, seed)
    strategy = CoSyNE(permutation="all", protect_best=False)
    dealt = strategy.permuted(values, fitness, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(dealt, axis=0), np.sort(values, axis=0))
    assert np.mean(dealt[0] == values[0]) < 0.3
    after = CoSyNE(
        permutation="all", protect_best=False, mutation_rate=0, mutate_one=False, crossover="one-point"
    ).update({"values": values, "deviation": 1.0}, values, fitness, np.random.default_rng(seed))["values"]
    parents = {tuple(row) for row in values[:3]}
    for child in after[6:]:
        assert any(child[0] == parent[0] for parent in parents)  # made of the best before they were permuted


def test_without_a_forced_mutation_a_share_of_the_children_is_unchanged():
    points = np.zeros((400, 5))
    for mutate_one, unchanged in ((False, 0.7**5), (True, 0.0)):
        strategy = CoSyNE(population=400, mutation_rate=0.3, mutate_one=mutate_one)
        after = strategy.update(
            {"values": points, "deviation": 1.0}, points, np.arange(400.0), np.random.default_rng(0)
        )["values"][200:]
        assert abs(np.mean((after == 0).all(axis=1)) - unchanged) < 0.08
        if not mutate_one:
            assert abs(np.mean(after != 0) - 0.3) < 0.03


@pytest.mark.parametrize("strategy", [CoSyNE, evorrn.ESP])
def test_absolute_noise_does_not_follow_the_width_of_the_start(strategy):
    for scaling, deviation in (("relative", 10 / np.sqrt(3)), ("absolute", 1.0)):
        search = strategy(width=10.0, scaling=scaling).search(np.zeros(6), seed=0)
        assert search.state["method"]["deviation"] == pytest.approx(deviation)
        assert np.abs(search.ask()).max() > 5


def test_settings_added_later_keep_the_ids_of_earlier_runs():
    added = {"scaling", "mutate_one", "protect_best", "chromosome", "candidate"}
    for strategy in (CoSyNE(), evorrn.ESP(), RandomSearch()):
        assert not added & set(strategy.stored_values())


# ----------------------------------------------------------------------------------------- promises


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sequences": 1, "finalists": 2, "lower": -0.5, "upper": 0.5, "restart_after": 2},
        {"permutation": "all", "crossover": "one-point", "weight_decay": 0.1, "population": 4},
        {"permutation": "all", "protect_best": False, "crossover": "neuron-segments", "scaling": "absolute"},
    ],
)
def test_the_contract_is_kept(settings):
    check_strategy(CoSyNE(**settings))


def test_what_is_evaluated_is_what_is_counted():
    """Every generation evaluates each network once, and nothing else."""
    asked, strategy = problem(), CoSyNE(population=10)
    calls, whole = [], asked.fitness
    asked.fitness = lambda genomes, sequences=None: calls.append(len(genomes)) or whole(genomes, sequences)
    state = strategy.start(asked, np.random.default_rng(0))
    for _ in range(6):
        state = strategy.step(asked, state)
    assert calls == [10] * 6 and asked.meter.evaluations == 60


def test_the_best_network_is_never_lost():
    search, best = CoSyNE(population=12).search(np.zeros(5), seed=3), -np.inf
    for _ in range(40):
        genomes = search.ask()
        values = sphere(genomes)
        assert values.max() >= best  # it is still among the networks
        best = max(best, values.max())
        search.tell(genomes, values)
        assert search.best.fitness == best


def test_a_population_has_a_least_size():
    with pytest.raises(ConfigError, match="population: cosyne needs at least 4, got 3"):
        CoSyNE(population=3)
    with pytest.raises(ConfigError, match="did you mean 'one-point'"):
        CoSyNE(crossover="onepoint")
