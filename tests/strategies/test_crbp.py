"""Causal recursive backpropagation, beside loops by hand and backpropagation through time."""

import itertools

import numpy as np
import pytest
from test_online import ragged, timeless, trained

import evorrn
from evorrn import CRBP, RFLO, Batch, Network, Problem
from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree

LAYERS = [
    ("fir", (3, 2)),
    ("iir", (3, 2)),
    pytest.param("iir", (2, 2, 2), marks=pytest.mark.thorough),
    pytest.param("indrnn", (3, 4), marks=pytest.mark.thorough),
]


def made(cell, hidden, seed=1, **options):
    """Return a network, a genome whose filters ring on, and a batch of ragged sequences."""
    network = Network(2, 2, cell=cell, hidden=hidden, dtype="float64", **options)
    genome = network.init(seed=seed) + 0.15 * np.random.default_rng(seed).standard_normal(network.size)
    return network, genome, ragged(network, 4, 14, seed=seed)


def distance(strategy, network, genome, batch):
    """Return the relative distance of a strategy's gradient from the exact one."""
    problem, exact = Problem(network, batch), network.loss_and_gradient(genome, batch)[1]
    assert not strategy.refusals(problem)
    found = strategy.gradient(problem, genome, None)[1]
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("reads", ["last", pytest.param("all", marks=pytest.mark.thorough)])
@pytest.mark.parametrize(("cell", "hidden"), LAYERS)
def test_a_window_of_the_whole_sequence_is_backpropagation_through_time(cell, hidden, reads):
    assert distance(CRBP(window=None), *made(cell, hidden, reads=reads)) < 1e-12
    assert distance(CRBP(window=14), *made(cell, hidden, seed=2, reads=reads)) < 1e-12


@pytest.mark.parametrize(("cell", "hidden"), LAYERS)
def test_the_error_falls_with_the_window(cell, hidden):
    found = [distance(CRBP(window=window), *made(cell, hidden, seed=3)) for window in (0, 1, 3, 6, 10)]
    assert all(later < earlier or later < 1e-12 for earlier, later in itertools.pairwise(found))
    assert found[0] > 0.05 and found[4] < found[0] / 10


def test_a_single_layer_and_filters_within_the_window_have_the_exact_gradient():
    assert distance(CRBP(window=0), *made("iir", 4)) < 1e-12
    assert distance(CRBP(window=3), *made("fir", (3, 2))) < 1e-12  # four taps reach back three steps


def filtered(w, v, x):
    """Return the filter outputs (T, H, I) and their sums' traces by w and v, for one layer and one sequence, by loops."""
    (units, taps, inputs), poles, steps = w.shape, v.shape[1], len(x)
    y = np.zeros((steps, units, inputs))
    by_w, by_v = np.zeros((steps, units, taps, inputs)), np.zeros((steps, units, poles, inputs))
    for t in range(steps):
        for n in range(units):
            for m in range(inputs):
                for p in range(min(taps, t + 1)):
                    y[t, n, m] += w[n, p, m] * x[t - p, m]
                    by_w[t, n, p, m] += x[t - p, m]
                for p in range(1, poles + 1):
                    if t >= p:
                        y[t, n, m] += v[n, p - 1, m] * y[t - p, n, m]
                        by_v[t, n, p - 1, m] += y[t - p, n, m]
                for r in range(1, poles + 1):
                    if t >= r:
                        by_w[t, n, :, m] += v[n, r - 1, m] * by_w[t - r, n, :, m]
                        by_v[t, n, :, m] += v[n, r - 1, m] * by_v[t - r, n, :, m]
    return y, by_w, by_v


def response(w, v, count):
    """Return the impulse response (count, H, I) of the filters of a layer."""
    g = np.zeros((count, w.shape[0], w.shape[2]))
    for p in range(count):
        if p < w.shape[1]:
            g[p] += w[:, p]
        for r in range(1, min(p, v.shape[1]) + 1):
            g[p] += v[:, r - 1] * g[p - r]
    return g


@pytest.mark.parametrize("window", [0, 2, 5])
def test_two_layers_of_filters_follow_the_published_equations(window):
    network, genome, _ = made("iir", (3, 2))
    rng, steps = np.random.default_rng(3), 12
    x, d = rng.standard_normal((steps, 2)), rng.standard_normal((steps, 2))
    w = network.unpack(genome)
    first, by_w0, by_v0 = filtered(w["layer0.W"], w["layer0.V"], x)
    h = np.tanh(first.sum(axis=2) + w["layer0.b"])
    second, by_w1, by_v1 = filtered(w["layer1.W"], w["layer1.V"], h)
    z = np.tanh(second.sum(axis=2) + w["layer1.b"])
    error = 2 * (z @ w["readout.W"].T + w["readout.b"] - d) / d.size
    upper = error @ w["readout.W"] * (1 - z**2)
    g, e = response(w["layer1.W"], w["layer1.V"], window + 1), np.zeros((steps, 3))
    for t in range(steps):
        for p in range(min(window + 1, steps - t)):
            e[t] += upper[t + p] @ g[p]
    lower = e * (1 - h**2)
    parts = {
        "layer0.W": np.einsum("tn,tnpm->npm", lower, by_w0),
        "layer0.V": np.einsum("tn,tnpm->npm", lower, by_v0),
        "layer0.b": lower.sum(axis=0),
        "layer1.W": np.einsum("tn,tnpm->npm", upper, by_w1),
        "layer1.V": np.einsum("tn,tnpm->npm", upper, by_v1),
        "layer1.b": upper.sum(axis=0),
        "readout.W": error.T @ z,
        "readout.b": error.sum(axis=0),
    }
    found = CRBP(window=window).gradient(Problem(network, Batch(x[None], d[None])), genome, None)[1]
    np.testing.assert_allclose(found, network.pack(parts), rtol=1e-10, atol=1e-13)


def test_training_resumes_to_the_same_bytes_with_any_number_of_threads(tmp_path):
    strategy = CRBP(window=3, batch_size=3, update_every=4)
    form = {"cell": "iir", "hidden": (4, 3)}
    whole = timeless(trained(strategy, 3, **form))
    assert timeless(trained(strategy, 3, threads=1, **form)) == whole
    save_tree(tmp_path / "half.npz", trained(strategy, 1, **form))
    assert timeless(trained(strategy, 2, load_tree(tmp_path / "half.npz"), **form)) == whole


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"cell": "elman"},
            "needs units whose past reaches no other unit of their layer.*rtrl and snap train it",
        ),
        ({"cell": "lstm", "hidden": (2, 2)}, "needs units whose past reaches no other unit"),
        ({"cell": "iir", "feedback": True}, "needs layers that do not see the output.*rtrl trains it"),
        ({"cell": "iir", "bidirectional": True}, "run from the last to the first; bptt trains it"),
    ],
)
def test_networks_that_it_cannot_train_are_refused_with_what_serves(options, reason):
    network = Network(2, 1, **{"hidden": 3, **options})
    with pytest.raises(ConfigError, match=reason):
        CRBP().check(Problem(network, ragged(network)))


@pytest.mark.parametrize("method", [CRBP, RFLO], ids=lambda m: m.name)
def test_a_task_recommends_a_cell_that_the_method_can_train(method):
    """Each task that is a chain of steps recommends gated units to others, which these methods cannot train."""
    for name in ("sunspots", "temporal-order"):
        task = evorrn.task(name)
        network = Network.for_task(task, **method.advice(task).network)
        data = Batch(np.zeros((1, 4, task.inputs)), network_targets(network))
        assert not method().refusals(Problem(network, data))
    assert evorrn.BPTT.advice(task).network["cell"] not in method.serves
    assert method.advice(evorrn.task("mackey-glass")).network["cell"] in method.serves


def network_targets(network):
    """Return targets (1, 4, O), or labels (1, 4)."""
    return np.zeros((1, 4), int) if network.loss_function.labels else np.zeros((1, 4, network.outputs))
