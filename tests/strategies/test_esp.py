"""ESP: neurons against loops by hand, bursts and learning."""

import numpy as np
import pytest

from evorrn import ESP, CoSyNE, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.evolution.units import neurons
from evorrn.testing import check_strategy

LAYOUT = {
    "layer0.W_x": (3, 2),
    "layer0.W_h": (3, 3),
    "layer0.b": (3,),
    "readout.W": (2, 3),
    "readout.b": (2,),
    "readout.W_x": (2, 2),
}
GENES = 30


def made(**settings):
    """Return a strategy and its state after the networks of a generation were drawn."""
    strategy = ESP(**{"population": 8, "trials": 3, **settings})
    search = strategy.search(np.zeros(GENES), seed=1, layout=LAYOUT)
    genomes = search.ask()
    return strategy, search.state["method"], genomes


def fitness_of(genomes):
    return -np.sum((genomes - 1) ** 2, axis=1)


# ------------------------------------------------------------------------------------------- neurons


def test_a_neuron_holds_its_input_and_its_output_weights():
    network = Network(2, 2, cell="lstm", hidden=(4, 3), direct=True)
    views = network.unpack(neurons(network.blocks).astype(float))
    for layer, rows in (("layer0", np.arange(4)), ("layer1", 4 + np.arange(3))):
        for name, view in views.items():
            if name.startswith(layer):
                assert (view.reshape(len(rows), -1) == rows[:, None]).all(), name
    np.testing.assert_array_equal(views["readout.W"], [[4, 5, 6]] * 2)
    np.testing.assert_array_equal(views["readout.b"], [7, 8])
    np.testing.assert_array_equal(views["readout.W_x"], [[7, 7], [8, 8]])


def test_each_gene_of_a_plain_vector_is_a_neuron():
    np.testing.assert_array_equal(neurons({"genome": (5,)}), np.arange(5))
    search = ESP(population=4, trials=2).search(np.zeros(5))
    assert search.ask().shape == (8, 5)
    assert search.state["method"]["draws"].shape == (8, 5)


# ------------------------------------------------------------------------------ one generation by hand


def test_networks_take_one_neuron_of_each_sub_population_and_each_neuron_as_often():
    _, method, genomes = made()
    owner, population, draws = method["owner"], method["neurons"], method["draws"]
    assert genomes.shape == (8 * 3, GENES) and draws.shape == (24, 5)  # three hidden neurons, two outputs
    for network, rows in zip(genomes, draws):
        for gene in range(GENES):
            assert network[gene] == population[rows[owner[gene]], gene]
    for column in draws.T:
        np.testing.assert_array_equal(np.bincount(column), np.full(8, 3))
    assert len({tuple(row - row[0]) for row in draws}) > 5  # networks combine different neurons


@pytest.mark.parametrize("shaping", ["raw", "ranks"])
def test_a_neuron_is_as_fit_as_its_networks_on_average(shaping):
    strategy, method, genomes = made(shaping=shaping)
    fitness = fitness_of(genomes)
    fitness[5] = -np.inf
    counted = np.where(np.isfinite(fitness), fitness, np.sort(fitness)[1])
    if shaping == "ranks":
        counted = np.argsort(np.argsort(fitness)) / (len(fitness) - 1) - 0.5
    merit = strategy.neuron_fitness(method["draws"], fitness)
    for neuron in range(8):
        for place in range(5):
            mine = [counted[k] for k in range(24) if method["draws"][k, place] == neuron]
            assert len(mine) == 3
            assert merit[neuron, place] == pytest.approx(np.mean(mine), rel=1e-12)


def test_a_generation_is_bred_as_by_hand():
    """The better half stays in order, and each pair of the best quarter has two children."""
    strategy, method, genomes = made(mutation_rate=0.5, mutation_scale=0.2)
    fitness = fitness_of(genomes)
    bred = strategy.update(method, genomes, fitness, np.random.default_rng(9))["neurons"]

    rng, owner = np.random.default_rng(9), method["owner"]
    partner = rng.integers(0, [[2], [1]], (2, 5))
    lengths = [np.count_nonzero(owner == place) for place in range(5)]
    cuts = rng.integers(1, lengths, (2, 5))
    mutates = rng.random((4, 5)) < 0.5
    genes = rng.integers(0, lengths, (4, 5))
    merit = strategy.neuron_fitness(method["draws"], fitness)
    expected, mutations = np.empty((8, GENES)), []
    for place in range(5):
        mine = np.flatnonzero(owner == place)
        ranked = method["neurons"][:, mine][np.argsort(-merit[:, place])]
        children = [[], []]
        for pair in range(2):
            one, two, cut = ranked[pair], ranked[partner[pair, place]], cuts[pair, place]
            children[0].append(np.concatenate([one[:cut], two[cut:]]))
            children[1].append(np.concatenate([two[:cut], one[cut:]]))
        expected[:, mine] = np.concatenate([ranked[:4], children[0], children[1]])
        mutations += [(4 + row, mine[genes[row, place]]) for row in range(4) if mutates[row, place]]
    for row, gene in sorted(mutations):
        expected[row, gene] += 0.2 * method["deviation"] * rng.standard_cauchy()
    np.testing.assert_allclose(bred, expected, rtol=1e-13)


def test_a_burst_spreads_around_the_best_network_and_keeps_it():
    strategy, method, genomes = made(burst_after=2, burst_scale=0.01)
    flat = np.zeros(len(genomes))
    method = strategy.update(method, genomes, fitness_of(genomes), np.random.default_rng(0))
    best = genomes[fitness_of(genomes).argmax()]
    for waited in (1, 2):
        assert method["bursts"] == 0
        method, _ = strategy.sample(method, np.random.default_rng(waited))
        method = strategy.update(method, genomes, flat - 1e9, np.random.default_rng(waited))
    assert method["bursts"] == 1 and method["waiting"] == 0
    np.testing.assert_array_equal(method["neurons"][0], best)
    apart = (method["neurons"][1:] - best) / (0.01 * method["deviation"])
    # Cauchy: half of all draws lie within ±1, and draws far away are frequent.
    assert 0.4 < np.mean(np.abs(apart) < 1) < 0.6 and np.abs(apart).max() > 20


def test_whole_networks_are_bred_in_one_population():
    """Conventional neuroevolution: the better half stays, pairs of the best quarter cross over at one cut."""
    strategy, method, genomes = made(chromosome="network", trials=1, mutation_rate=0.0)
    assert genomes.shape == (8, GENES) and method["draws"].shape == (8, 1)
    np.testing.assert_array_equal(np.sort(genomes, axis=0), np.sort(method["neurons"], axis=0))
    fitness = fitness_of(genomes)
    bred = strategy.update(method, genomes, fitness, np.random.default_rng(9))["neurons"]
    ranked = genomes[np.argsort(-fitness)]
    np.testing.assert_array_equal(bred[:4], ranked[:4])
    for child in bred[4:]:
        from_first = child == ranked[0]
        assert (from_first | (child == ranked[1])).all()
        assert np.count_nonzero(np.diff(from_first.astype(int))) <= 1


# ----------------------------------------------------------------------------------------- promises


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sequences": 1, "finalists": 2, "lower": -0.5, "upper": 0.5, "restart_after": 2, "shaping": "ranks"},
        {"population": 4, "trials": 1, "burst_after": 1, "weight_decay": 0.1},
        {"chromosome": "network", "population": 6, "trials": 1, "burst_after": 2, "scaling": "absolute"},
    ],
)
def test_the_contract_is_kept(settings):
    check_strategy(ESP(**settings))


def test_every_network_is_an_evaluation():
    search = ESP(population=6, trials=10).search(np.zeros(4))
    for _ in range(3):
        genomes = search.ask()
        search.tell(genomes, fitness_of(genomes))
    assert search.evaluations == 3 * 6 * 10


def test_a_factor_of_a_block_scales_its_start_and_its_noise():
    both = [
        ESP(population=200, trials=1, step_sizes=factors).search(np.zeros(GENES), layout=LAYOUT).ask()
        for factors in (None, {"readout": 0.01})
    ]
    ratio = both[1].std(axis=0) / both[0].std(axis=0)
    np.testing.assert_allclose(ratio[:18], 1)
    np.testing.assert_allclose(ratio[18:], 0.01)


def test_a_sub_population_has_a_least_size():
    with pytest.raises(ConfigError, match="population: esp needs at least 4, got 3"):
        ESP(population=3)
    with pytest.raises(ConfigError, match="trials: expected a value >= 1, got 0"):
        ESP(trials=0)


@pytest.mark.parametrize(
    "strategy", [ESP(population=400, trials=1, width=3.0), CoSyNE(population=400, width=3.0)]
)
def test_a_width_replaces_the_start_weights(strategy):
    search = strategy.search(np.full(4, 100.0), spread=1e-3)
    genomes = search.ask()
    assert np.abs(genomes).max() <= 3 and np.abs(genomes.mean()) < 0.2
    np.testing.assert_allclose(genomes.std(), 3 / np.sqrt(3), rtol=0.03)
    np.testing.assert_allclose(search.state["method"]["deviation"], 3 / np.sqrt(3))  # the scale of the noise
