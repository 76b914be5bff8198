"""Gradients at fixed points, by the implicit function theorem and through a long time, and in continuous time."""

import numpy as np
import pytest

from evorrn import Batch, Network, Problem, RecurrentBackprop
from evorrn.base.errors import ConfigError, DataError
from evorrn.strategies.gradient.recurrent_backprop import fixed_point_gradient, settled


def held(steps, loss="mse", seed=0, outputs=2):
    """Return sequences of constant inputs that are scored at the last steps."""
    rng = np.random.default_rng(seed)
    inputs = np.repeat(rng.standard_normal((5, 1, 2)), steps, axis=1)
    mask = np.zeros((5, steps), bool)
    mask[:, -1] = True
    targets = rng.standard_normal((5, steps, outputs))
    if loss == "cross-entropy":
        targets = rng.integers(0, outputs, (5, steps))
    return Batch(inputs, targets, mask=mask)


@pytest.mark.parametrize(
    "cell, options",
    [
        ("elman", {}),
        pytest.param("leaky", {"loss": "cross-entropy"}, marks=pytest.mark.thorough),
        pytest.param("gru", {"hidden": (3, 2)}, marks=pytest.mark.thorough),
        ("ctrnn", {"feedback": True}),
        pytest.param("iir", {}, marks=pytest.mark.thorough),
    ],
)
def test_the_gradient_at_a_fixed_point_is_that_through_a_long_time(cell, options):
    network = Network(2, 2, cell=cell, dtype="float64", **{"hidden": 3, **options})
    genome, batch = 0.4 * network.init(seed=1), held(400, network.loss_name)
    rested = settled(network, genome, batch.inputs[:, 0], 2000, 1e-13)
    assert rested.rests.all()
    targets = network.loss_function.one_hot(batch.targets, 2)
    loss, gradient = fixed_point_gradient(
        network, genome, (rested.state, batch.inputs[:, 0]), targets, batch.scored
    )
    untaught = np.full((5, 400, 2), np.nan) if network.step.feeds_back else None
    wanted_loss, wanted = network.loss_and_gradient(genome, batch, teacher=untaught)
    assert loss == pytest.approx(wanted_loss, rel=1e-9)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-7, atol=1e-9)


def test_the_gradient_is_the_derivative_of_the_loss_where_the_network_rests():
    network, batch = Network(2, 1, cell="elman", hidden=3, dtype="float64"), held(1, outputs=1)
    genome, x = 0.5 * network.init(seed=2), held(1).inputs[:, 0]

    def loss(genes):
        w, total = network.unpack(genes), 0.0
        for row, target in zip(x, batch.targets[:, 0]):
            h = np.zeros(3)
            for _ in range(300):
                h = np.tanh(w["layer0.W_x"] @ row + w["layer0.W_h"] @ h + w["layer0.b"])
            total += np.square(w["readout.W"] @ h + w["readout.b"] - target).sum() / 5
        return total

    wanted = [(loss(genome + d) - loss(genome - d)) / 2e-6 for d in 1e-6 * np.eye(network.size)]
    rested = settled(network, genome, x, 500, 1e-13)
    found, gradient = fixed_point_gradient(network, genome, (rested.state, x), batch.targets, batch.scored)
    assert found == pytest.approx(loss(genome), rel=1e-9)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-8)


def test_states_that_never_rest_are_left_out_and_a_start_without_any_is_given_up():
    network = Network(1, 1, cell="elman", hidden=1, dtype="float64", cell_options={"activation": "identity"})
    swinging = network.pack(
        {
            "layer0.W_x": [[1.0]],
            "layer0.W_h": [[-1.0]],
            "layer0.b": [0.0],
            "readout.W": [[1.0]],
            "readout.b": [0.0],
        }
    )
    rested = settled(network, swinging, np.array([[0.0], [1.0]]), 50, 1e-9)
    assert rested.rests.tolist() == [True, False] and rested.steps == 50
    problem, strategy = Problem(network, Batch(np.ones((2, 4, 1)), np.ones((2, 4, 1)))), RecurrentBackprop()
    state = strategy.start(problem, np.random.default_rng(0))
    after = strategy.step(problem, {**state, "genome": swinging})
    assert after["stopped"] and after["record"]["resting"] == 0
    assert strategy.step(problem, after)["starts"] == 1


def test_a_start_that_rests_where_the_step_has_the_eigenvalue_1_is_given_up():
    """Without input and bias a unit rests at 0, where the derivative of the step is its recurrent weight."""
    network = Network(0, 1, cell="elman", hidden=1, dtype="float64")
    blocks = {name: np.zeros(shape) for name, shape in network.blocks.items()}
    blocks["layer0.W_h"][:] = blocks["readout.W"][:] = 1
    problem, strategy = Problem(network, Batch(np.zeros((2, 4, 0)), np.ones((2, 4, 1)))), RecurrentBackprop()
    state = strategy.start(problem, np.random.default_rng(0))
    after = strategy.step(problem, {**state, "genome": network.pack(blocks)})
    assert after["stopped"] and after["train_loss"] == 1
    assert strategy.step(problem, after)["starts"] == 1


@pytest.mark.thorough
def test_a_static_map_is_learned():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(-1, 1, (30, 1, 2)), 40, axis=1)
    batch = Batch(x, x[:, :, :1] * x[:, :, 1:], mask=np.arange(40)[None] >= np.full((30, 1), 30))
    network = Network(2, 1, cell="leaky", hidden=8)
    result = RecurrentBackprop().fit(network, batch, seed=1, budget="250gen")
    assert result.metrics["train"]["nrmse_std"] < 0.4


def test_inputs_that_change_and_cells_that_count_are_refused_with_what_serves():
    changing = Batch(np.arange(6.0).reshape(1, 6, 1), np.zeros((1, 6, 1)))
    with pytest.raises(DataError, match="for inputs that change bptt or ekf serve"):
        RecurrentBackprop().fit(Network(1, 1, hidden=2), changing, budget="1gen")
    still = Batch(np.ones((1, 6, 1)), np.zeros((1, 6, 1)))
    with pytest.raises(ConfigError, match="of clockwork counts time steps; bptt serves it"):
        RecurrentBackprop().fit(Network(1, 1, cell="clockwork", hidden=4), still, budget="1gen")


@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_the_gradient_of_a_ctrnn_is_that_in_continuous_time_at_the_same_steps(dt):
    """Pearlmutter's equations for the adjoint and the time constants, with Euler's method and the same steps."""
    rng, hidden, steps = np.random.default_rng(1), 3, 12
    network = Network(
        1,
        hidden,
        cell="ctrnn",
        hidden=hidden,
        dtype="float64",
        cell_options={"dt": dt, "method": "euler", "tau": 2.0},
    )
    genome = network.init(seed=1) + 0.2 * rng.standard_normal(network.size)
    w = network.unpack(genome)
    w["readout.W"][:], w["readout.b"][:] = np.eye(hidden), 0
    x, wanted = rng.standard_normal((2, steps, 1)), rng.standard_normal((2, steps, hidden))
    found = network.unpack(network.loss_and_gradient(genome, Batch(x, wanted))[1])
    tau = 2.0 * np.exp(w["layer0.log_tau"])
    by = {name: np.zeros_like(block) for name, block in w.items() if name.startswith("layer0")}
    for b in range(2):
        v, path = np.zeros(hidden), []
        for t in range(steps):
            f = 1 / (1 + np.exp(-(v + w["layer0.theta"])))
            rate = (-v + w["layer0.W"] @ f + w["layer0.W_x"] @ x[b, t]) / tau
            path.append((f, rate))
            v = v + dt * rate
            path[-1] += (1 / (1 + np.exp(-(v + w["layer0.theta"]))),)
        z = np.zeros(hidden)  # the adjoint of v, from the end of time on
        for t in reversed(range(steps)):
            f, rate, output = path[t]
            error = 2 * (output - wanted[b, t]) / (2 * steps * hidden) * output * (1 - output)
            by["layer0.theta"] += error
            z = z + error
            scaled = dt * z / tau
            by["layer0.W"] += np.outer(scaled, f)
            by["layer0.W_x"] += np.outer(scaled, x[b, t])
            by["layer0.log_tau"] -= (
                dt * z * rate
            )  # - z dv/dt / tau, times the derivative tau of tau by its logarithm
            inner = (w["layer0.W"].T @ scaled) * f * (1 - f)
            by["layer0.theta"] += inner
            z = z - scaled + inner  # - dz/dt = - z / tau + f' W' (z / tau) + error
    for name, block in by.items():
        np.testing.assert_allclose(found[name], block, rtol=1e-9, atol=1e-12, err_msg=name)
