"""Intrinsic plasticity: its rule against finite differences, and the density of the activations that it makes."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.plasticity import UPDATE, Plasticity, adapt_intrinsic
from evorrn.strategies.reservoir.units import FUNCTIONS
from evorrn.training.problem import Problem

SCALES = Scales(spectral_radius=0.9, links=10, inputs=1.0, biases=0.1, feedback=0.0)


def prepared(activation: str, cell: str = "elman", hidden=50, **options) -> tuple[Problem, np.ndarray]:
    inputs = np.random.default_rng(0).normal(size=(1, 2500, 1))
    options = {"activation": activation, **options}
    network = Network(1, 1, cell=cell, hidden=hidden, cell_options=options, dtype="float64")
    genome, _ = draw_reservoir(network, SCALES, np.random.default_rng(1))
    return Problem(network, Batch(inputs, inputs)), genome


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_the_rule_descends_the_divergence_from_the_wanted_density(function):
    """Of a sample the divergence is -log of the slope dy/ds minus the log of the wanted density at y."""
    rng = np.random.default_rng(0)

    def divergence(gain, bias, net):
        if function == "tanh":
            y = np.tanh(gain * net + bias)
            return -np.log(gain * (1 - y**2)) + (y - 0.2) ** 2 / (2 * 0.4**2)
        y = 1 / (1 + np.exp(-gain * net - bias))
        return -np.log(gain * y * (1 - y)) + y / 0.2

    nets, gains, biases = rng.normal(size=9), rng.uniform(0.3, 2, 9), rng.normal(size=9)
    gain, bias, none = gains.copy(), biases.copy(), np.zeros(9)
    unlinked = np.zeros((9, 1), np.int64), np.zeros((9, 1))
    units = none, none, np.ones(9), FUNCTIONS.index(function), False
    adapt_intrinsic(nets[None], unlinked, units, gain, bias, (1e-3, 0.2, 0.4))
    h = 1e-6
    by_bias = (divergence(gains, biases + h, nets) - divergence(gains, biases - h, nets)) / (2 * h)
    by_gain = (divergence(gains + h, biases, nets) - divergence(gains - h, biases, nets)) / (2 * h)
    np.testing.assert_allclose((bias - biases) / 1e-3, -by_bias, rtol=1e-5)
    np.testing.assert_allclose((gain - gains) / 1e-3, -by_gain, rtol=1e-5)


def activations(problem: Problem, genome: np.ndarray) -> np.ndarray:
    """Return the activations after a transient, of units without a leak."""
    return problem.network.readout_states(genome, problem.batch("train").inputs)[0, 100:]


def divergence_of(values: np.ndarray, density, edges: np.ndarray) -> float:
    """Return the divergence of a histogram from a density that is normalised on the same bins."""
    found = np.histogram(values, edges)[0] / values.size
    wanted = density((edges[1:] + edges[:-1]) / 2)
    wanted = wanted / wanted.sum()
    used = found > 0
    return float((found[used] * np.log(found[used] / wanted[used])).sum())


@pytest.mark.parametrize("deviation", [0.2, 0.5])
def test_tanh_units_have_nearly_the_gaussian_density_afterwards(deviation):
    problem, genome = prepared("tanh")
    edges = np.linspace(-1, 1, 41)

    def gaussian(y):
        return np.exp(-(y**2) / (2 * deviation**2))

    before = activations(problem, genome)
    Plasticity(2e-3, 4, 0.0, deviation).adapt(problem, genome)
    after = activations(problem, genome)
    grid = np.linspace(-1, 1, 1001)
    cut = np.sqrt(np.average(grid**2, weights=gaussian(grid)))  # activations are between -1 and 1
    assert after.std() == pytest.approx(cut, rel=0.1) and abs(after.mean()) < 0.03
    assert np.abs(after.mean(axis=0)).max() < 0.15
    start, end = (
        np.mean([divergence_of(unit, gaussian, edges) for unit in each.T]) for each in (before, after)
    )
    assert end < min(0.06, 0.3 * start)


def test_logistic_units_have_nearly_the_exponential_density_afterwards():
    problem, genome = prepared("sigmoid")
    edges = np.linspace(0, 1, 41)
    before = activations(problem, genome)
    Plasticity(2e-3, 6, 0.2, 0.3).adapt(problem, genome)
    after = activations(problem, genome)
    assert after.mean() == pytest.approx(0.2, abs=0.03)
    start = divergence_of(before, lambda y: np.exp(-y / 0.2), edges)
    assert divergence_of(after, lambda y: np.exp(-y / 0.2), edges) < 0.25 * start


def test_gains_and_biases_are_in_the_genome_and_nothing_else_changes():
    problem, genome = prepared("tanh", hidden=6)
    adapted = genome.copy()
    Plasticity(1e-3, 1, 0.0, 0.3).adapt(problem, adapted)
    before, after = problem.network.unpack(genome), problem.network.unpack(adapted)
    gain = after["layer0.W_x"][:, 0] / before["layer0.W_x"][:, 0]
    np.testing.assert_allclose(after["layer0.W_h"], gain[:, None] * before["layer0.W_h"])
    assert (gain > 0).all() and np.ptp(gain) > 0
    assert not after["readout.W"].any() and (before["layer0.b"] != after["layer0.b"]).all()
    links = int((before["layer0.W_h"] != 0).sum(axis=1).max())
    assert problem.meter.work == 2500 * 6 * (1 + links + UPDATE)
    assert problem.meter.steps_forward == 2500


def test_stacked_layers_and_leaky_units_adapt_one_after_the_other():
    problem, genome = prepared("tanh", cell="leaky", hidden=(8, 5), leak=0.5)
    adapted = genome.copy()
    Plasticity(1e-3, 1, 0.0, 0.3).adapt(problem, adapted)
    inputs = problem.batch("train").inputs
    lower = Network(
        1, 1, cell="leaky", hidden=8, cell_options={"leak": 0.5, "activation": "tanh"}, dtype="float64"
    )
    blocks, parts = problem.network.unpack(adapted), lower.unpack(np.zeros(lower.size))
    for name in ("layer0.W_x", "layer0.W_h", "layer0.b"):
        parts[name][...] = blocks[name]
    states = lower.readout_states(lower.pack(parts), inputs)
    upper = Network(
        8, 1, cell="leaky", hidden=5, cell_options={"leak": 0.5, "activation": "tanh"}, dtype="float64"
    )
    start, alone = problem.network.unpack(genome), upper.unpack(np.zeros(upper.size))
    for name in ("W_x", "W_h", "b"):
        alone[f"layer0.{name}"][...] = start[f"layer1.{name}"]
    expected = upper.pack(alone)
    Plasticity(1e-3, 1, 0.0, 0.3).adapt(Problem(upper, Batch(states, inputs)), expected)
    for name in ("W_x", "W_h", "b"):
        wanted = upper.unpack(expected)[f"layer0.{name}"]
        np.testing.assert_allclose(blocks[f"layer1.{name}"], wanted, rtol=1e-9)


@pytest.mark.parametrize("kind", [evorrn.EchoState, evorrn.EvolvedReservoir])
def test_an_echo_state_network_trains_with_it_and_pays_for_it(kind):
    task = evorrn.task("narma", train=300, valid=100, test=100)
    network = Network.for_task(task, cell="leaky", hidden=30, direct=True, dtype="float64")
    with_it, without = (
        kind(reservoirs=2, plasticity=name).fit(network, task, seed=1) for name in ("intrinsic", "none")
    )
    assert with_it.metrics["test"]["nrmse_std"] < 0.9
    assert not np.array_equal(with_it.genome, without.genome)
    assert with_it.meter.work > without.meter.work + 2 * 3 * 300 * 30 * UPDATE
    steps = task.data(1).train.moved_steps
    assert with_it.meter.steps_forward == without.meter.steps_forward + 2 * 3 * steps
    again = kind(reservoirs=2, plasticity="intrinsic").fit(network, task, seed=1)
    np.testing.assert_array_equal(again.genome, with_it.genome)
    assert "plasticity" not in kind().stored_values()


@pytest.mark.parametrize(
    ("settings", "network", "sentence"),
    [
        ({}, {"cell": "gru"}, "needs units tanh or sigmoid of the cells elman or leaky"),
        ({}, {"cell": "leaky", "feedback": True}, "got leaky with tanh and feedback"),
        ({}, {"cell": "elman", "cell_options": {"activation": "relu"}}, "got elman with relu"),
        (
            {},
            {"cell": "elman", "cell_options": {"activation": "sigmoid"}},
            "activity_mean: expected more than 0",
        ),
        ({"activity_mean": 1.0}, {"cell": "elman"}, "activity_mean: expected more than -1 and less than 1"),
    ],
)
def test_networks_that_it_does_not_fit_are_refused(settings, network, sentence):
    task = evorrn.task("narma", train=60, valid=20, test=20)
    strategy = evorrn.EchoState(reservoirs=1, plasticity="intrinsic", **settings)
    with pytest.raises(ConfigError, match=sentence):
        strategy.fit(Network.for_task(task, hidden=5, dtype="float64", **network), task)
