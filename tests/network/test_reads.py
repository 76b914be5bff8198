"""Networks whose readout sees all layers, against plain loops and finite differences."""

import naive
import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.lab.runs.spec import resolve
from evorrn.network.network import Network
from evorrn.network.stepping import Stepper
from evorrn.strategies.evolution.units import neurons

DRAWS = [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 9))]


def draw(rng, **settings):
    """Return a network with two or three layers of random sizes that reads all of them."""
    made = {
        "cell": str(rng.choice(sorted(naive.CELLS))),
        "hidden": tuple(int(size) for size in rng.integers(1, 22, int(rng.integers(2, 4)))),
        "direct": bool(rng.integers(2)),
        "feedback": bool(rng.integers(2)),
        "dtype": "float64",
        "reads": "all",
        **settings,
    }
    return Network(int(rng.integers(1, 4)), int(rng.integers(1, 4)), **made)


def batch_for(network, rng, sequences, steps):
    lengths = rng.integers(1, steps + 1, sequences)
    x = rng.standard_normal((sequences, steps, network.inputs))
    return Batch(x, rng.standard_normal((sequences, steps, network.outputs)), lengths=lengths)


def naive_loss(network, genome, batch):
    total, count = naive.losses(
        naive.run_for_loss(network, genome, batch), batch.targets, batch.scored, "mse"
    )
    return total.sum() / count.sum()


@pytest.mark.parametrize("seed", DRAWS)
def test_a_readout_of_all_layers_equals_plain_loops(seed):
    rng = np.random.default_rng(seed)
    network = draw(rng)
    # One sequence runs with its units as vectors, many with sequences as vectors.
    batch = batch_for(network, rng, 1 if seed % 2 else int(rng.integers(2, 60)), int(rng.integers(1, 30)))
    genomes = np.stack([network.init(rng=rng) + 0.1 * rng.standard_normal(network.size) for _ in range(3)])
    cell, inputs = network.cell.name, network.inputs + network.outputs * network.feedback
    layers = naive.state_shapes(cell, network.hidden, inputs, network.outputs, network.cell_options)
    widths = [len(naive.seen(cell, {k: np.zeros(v) for k, v in shapes.items()})) for shapes in layers]
    assert network.blocks["readout.W"] == (network.outputs, sum(widths))
    outputs, last = naive.run_network(network, genomes[1], batch)
    given = {"lengths": batch.lengths}
    np.testing.assert_allclose(network.predict(genomes[1], batch.inputs, **given), outputs, atol=1e-11)
    np.testing.assert_allclose(network.states(genomes[1], batch.inputs, **given), last, atol=1e-11)
    seen = network.readout_states(genomes[1], batch.inputs, **given)
    blocks = network.unpack(genomes[1])
    again = seen @ blocks["readout.W"].T + blocks["readout.b"]
    if network.direct:
        again += batch.inputs @ blocks["readout.W_x"].T
    inside = np.arange(batch.steps)[None] < batch.lengths[:, None]
    np.testing.assert_allclose(again[inside], outputs[inside], atol=1e-11)
    np.testing.assert_array_equal(network.population_states(genomes, batch.inputs, **given)[1], seen)
    losses = [-naive_loss(network, genome, batch) for genome in genomes]
    np.testing.assert_allclose(network.fitness(genomes, batch), losses, rtol=1e-10)


@pytest.mark.parametrize("seed", DRAWS)
def test_its_gradient_equals_finite_differences(seed):
    rng = np.random.default_rng(100 + seed)
    network = draw(rng, cell=("elman", "lstm", "gru", "leaky")[seed % 4])
    batch = batch_for(network, rng, int(rng.integers(1, 50)), int(rng.integers(1, 40)))
    genome, along = network.init(rng=rng), rng.standard_normal(network.size)
    along /= np.linalg.norm(along)
    loss, gradient = network.loss_and_gradient(genome, batch)
    assert loss == pytest.approx(naive_loss(network, genome, batch), rel=1e-10)
    after, before = (naive_loss(network, genome + sign * 1e-6 * along, batch) for sign in (1, -1))
    assert gradient @ along == pytest.approx((after - before) / 2e-6, rel=2e-5, abs=1e-7)


def test_time_steps_in_numpy_read_all_layers_too():
    rng = np.random.default_rng(0)
    network = draw(rng, cell="gru", hidden=(3, 5, 2), feedback=False)
    genome, x = network.init(rng=rng), rng.standard_normal((4, 6, network.inputs))
    stepper = Stepper(network, 4)
    stepper.begin(np.arange(4), np.repeat(genome[None], 4, axis=0))
    outputs = np.stack([stepper.step(x[:, t]) for t in range(6)], axis=1)
    np.testing.assert_allclose(outputs, network.predict(genome, x), atol=1e-12)


@pytest.mark.thorough
def test_episodes_run_with_a_readout_of_all_layers():
    task = evorrn.task("cart-pole")
    network = Network.for_task(task, hidden=(3, 2), reads="all", biases=False)
    result = evorrn.GeneticAlgorithm(population=4).fit(network, task, seed=0, budget="2gen")
    assert np.isfinite(result.metrics["test"]["return"])


def test_the_default_keeps_settings_and_ids_and_other_words_are_refused():
    assert "reads" not in Network(1, 1, hidden=(2, 2)).settings()
    kept = Network(1, 1, hidden=(2, 2), reads="all")
    assert Network.from_settings(kept.settings()).blocks == kept.blocks
    table = {"task": {"name": "narma"}, "strategy": {"name": "esn"}, "network": {"hidden": [4, 4]}}
    usual = resolve(table)
    assert "reads" not in usual.content["network"]
    table["network"] = {"hidden": [4, 4], "reads": "last"}
    assert resolve(table).id == usual.id
    table["network"] = {"hidden": [4, 4], "reads": "all"}
    assert resolve(table).content["network"]["reads"] == "all" and resolve(table).id != usual.id
    with pytest.raises(ConfigError, match=r'network\.reads.*"?all'):
        Network(1, 1, reads="al")
    with pytest.raises(ConfigError, match="output of the last layer"):
        kept.to_torch(kept.init(seed=0))


def test_a_column_of_the_readout_belongs_to_the_neuron_that_it_reads():
    network = Network(1, 2, hidden=(3, 2), reads="all")
    owner = network.unpack(neurons(network.blocks))
    np.testing.assert_array_equal(owner["readout.W"], [[0, 1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(owner["layer1.b"], [3, 4])
