"""What people met with solved readouts: classes in order, digits lost, stacks, penalties at an edge, given genomes."""

import numpy as np
import pytest

import evorrn
from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError
from evorrn_tasks.mackey_glass import integrate


def nine_classes(one_hot=False):
    """Return sequences of nine classes in the order of the classes, and the network that learns them."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(9), 30)
    centres = rng.normal(size=(9, 12))
    means = centres[labels] + 0.5 * rng.normal(size=(270, 12))
    inputs = means[:, None] + 0.5 * rng.normal(size=(270, 20, 12))
    loss = "mse" if one_hot else "cross-entropy"
    network = Network(12, 9, cell="leaky", hidden=100, direct=True, dtype="float64", loss=loss)
    last = np.tile(np.arange(20) == 19, (270, 1))
    targets = np.repeat(np.eye(9)[labels][:, None], 20, axis=1) if one_hot else labels
    return network, Batch(inputs, targets, mask=last), labels


def test_sequences_sorted_by_class_are_learned_as_well_as_shuffled_ones():
    network, batch, _ = nine_classes()
    result = EchoState(reservoirs=1).fit(network, batch, seed=0)
    assert result.metrics["train"]["accuracy"] == 1.0
    assert result.metrics["train"]["cross_entropy"] < 0.01
    shuffled = batch.take(np.random.default_rng(1).permutation(270))
    assert EchoState(reservoirs=1).fit(network, shuffled, seed=0).metrics["train"]["accuracy"] == 1.0


def test_sequences_sorted_by_two_classes_are_learned_with_binary_cross_entropy():
    rng = np.random.default_rng(0)
    truth = np.repeat([0.0, 1.0], [40, 8])  # the last share of the sequences has one class alone
    inputs = (2 * truth - 1)[:, None, None] + rng.normal(size=(48, 6, 1))
    mask = np.tile(np.arange(6) == 5, (48, 1))
    batch = Batch(inputs, np.repeat(truth[:, None, None], 6, axis=1), mask=mask)
    network = Network(1, 1, cell="leaky", hidden=20, loss="binary-cross-entropy", dtype="float64")
    result = EchoState(reservoirs=1).fit(network, batch, seed=0)
    assert result.metrics["train"]["binary_accuracy"] > 0.95
    assert result.metrics["train"]["binary_cross_entropy"] < 0.4


def test_one_hot_targets_sorted_by_class_are_learned_too():
    network, batch, labels = nine_classes(one_hot=True)
    result = EchoState(reservoirs=1).fit(network, batch, seed=0)
    assert (result.predict(batch.inputs)[:, -1].argmax(axis=1) == labels).all()


def test_a_readout_comes_near_the_least_squares_solution_on_the_same_states():
    series = np.tanh(integrate(2501, tau=17.0, start=1.2)[500:] - 1)
    inputs, targets = series[:2000], series[1:]
    network = Network(1, 1, cell="leaky", hidden=300, direct=True, dtype="float64")
    batch = Batch(inputs[None, :, None], targets[None, :, None], mask=np.arange(2000)[None] >= 500)
    settings = {"leak": 0.44, "spectral_radius": 0.79, "links": 5, "input_scaling": 1.0, "bias_scaling": 0.2}
    nrmse = {}
    for solver in ("auto", "cholesky"):
        strategy = EchoState(reservoirs=1, washout=500, solver=solver, alphas=(1e-20,), **settings)
        result = strategy.fit(network, batch, seed=0)
        nrmse[solver] = result.metrics["train"]["nrmse_std"]
    states = result.network.states(result.genome, batch.inputs)[0]
    features = np.column_stack([inputs, states, np.ones(2000)])[500:]
    solved = np.linalg.lstsq(features, targets[500:], rcond=None)[0]
    reached = np.sqrt(np.mean((features @ solved - targets[500:]) ** 2)) / targets[500:].std()
    assert reached <= nrmse["auto"] < 1.1 * reached < 2 * reached < nrmse["cholesky"]


def laser_like(count):
    """Return squares of the first variable of the Lorenz equations, whole numbers from 0 to 255 as of a laser."""
    state, found = np.array([1.0, 2.0, 20.0]), []

    def slope(s):
        return np.array([10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]])

    for step in range(8 * count + 400):
        first = slope(state)
        state = state + 0.01 * slope(state + 0.005 * first)
        if step >= 400 and step % 8 == 0:
            found.append(state[0] ** 2)
    series = np.round(np.array(found[:count]) / max(found) * 255)
    return ((series - series.mean()) / series.std())[:, None]


@pytest.mark.thorough
def test_the_error_of_stacked_reservoirs_does_not_grow_with_their_layers_when_all_are_read():
    series = laser_like(2401)

    def part(start, stop):
        mask = np.arange(stop - start)[None] >= 50
        return Batch(series[None, start:stop], series[None, start + 1 : stop + 1], mask=mask)

    data = (part(0, 1400), part(1350, 1900), part(1850, 2400))
    errors = {}
    for hidden, reads in (((100,), "all"), ((100,) * 3, "all"), ((100,) * 3, "last")):
        network = Network(1, 1, cell="leaky", hidden=hidden, direct=True, dtype="float64", reads=reads)
        found = [
            EchoState(reservoirs=6).fit(network, data, seed=seed).metrics["test"]["rmse"] for seed in (0, 1)
        ]
        errors[len(hidden), reads] = np.median(found)
    assert errors[3, "all"] < 1.2 * errors[1, "all"]
    assert errors[3, "last"] > 1.2 * errors[3, "all"]


def noisy():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (1, 200, 1))
    return Batch(inputs, np.roll(inputs, 1, axis=1) + 0.5 * rng.standard_normal((1, 200, 1)))


def test_a_penalty_at_the_edge_is_in_the_history_and_said_to_the_reader():
    network = Network(1, 1, cell="leaky", hidden=30, dtype="float64")
    result = EchoState(alphas=(1e-9, 1e-7)).fit(network, noisy(), seed=0)
    assert result.history["alpha_at_edge"].tolist() == [1]
    assert "the largest of the readout's penalties, 1e-07, predicted best" in str(result)
    inside = EchoState().fit(network, noisy(), seed=0)
    assert inside.history["alpha_at_edge"].tolist() == [0] and inside.notes == ()


def test_the_readout_of_any_genome_is_solved_and_nothing_is_drawn():
    network = Network(1, 1, cell="elman", hidden=(6, 5), direct=True, dtype="float64", reads="all")
    batch, genome = noisy(), network.init(seed=3)
    result = EchoState.fit_readout(network, batch, genome, alphas=[1e-3])
    kept = [name for name in network.blocks if not name.startswith("readout")]
    for name in kept:
        np.testing.assert_array_equal(network.unpack(result.genome)[name], network.unpack(genome)[name])
    rows = np.arange(200) >= 20  # the washout
    states = network.readout_states(genome, batch.inputs)[0]
    features = np.column_stack([batch.inputs[0], states])[rows]
    centred = features - features.mean(axis=0)
    truth = batch.targets[0][rows]
    gram = centred.T @ centred / rows.sum() + 1e-3 * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (truth - truth.mean()) / rows.sum())
    blocks = network.unpack(result.genome)
    np.testing.assert_allclose(
        np.hstack([blocks["readout.W_x"], blocks["readout.W"]]), weights.T, rtol=1e-7, atol=1e-9
    )
    assert result.stopped_by == "readout solved" and result.history["alpha"].tolist() == [1e-3]
    assert result.metrics["train"]["nrmse_std"] < 1 and result.meter.work > 0
    # Settings of an instance hold, and a trained network keeps its own hidden weights.
    washed = EchoState(washout=100).fit_readout(network, batch, genome, alphas=[1e-3])
    assert not np.array_equal(washed.genome, result.genome)
    three = EchoState.fit_readout(network, (batch, batch, batch), genome)
    assert set(three.metrics) == {"train", "valid", "test"}


def test_fit_readout_says_what_it_cannot_solve():
    network = Network(1, 1, hidden=3, dtype="float64")
    with pytest.raises(ConfigError, match="not finite"):
        EchoState.fit_readout(network, noisy(), np.full(network.size, np.nan))
    with pytest.raises(evorrn.EvorrnError, match=r"expected shape"):
        EchoState.fit_readout(network, noisy(), np.zeros(3))
    with pytest.raises(ConfigError, match="biases"):
        EchoState.fit_readout(Network(1, 1, biases=False), noisy(), Network(1, 1, biases=False).init(seed=0))
    with pytest.raises(ConfigError, match="provides"):
        task = evorrn.task("cart-pole")
        EchoState.fit_readout(Network.for_task(task), task, Network.for_task(task).init(seed=0))
