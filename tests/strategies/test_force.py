"""FORCE and full-FORCE against loops in NumPy, and the patterns that trained networks go on with alone."""

import numpy as np
import pytest

import evorrn
from evorrn import FORCE, Batch, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.draw import draw_reservoir
from evorrn.training.trainer import STRATEGY_STREAM

FUNCTIONS = {"tanh": np.tanh, "sigmoid": lambda v: 1 / (1 + np.exp(-v))}


def unit_step(network, blocks, total, state):
    """Return the next state and output of a layer for the sum of all its weighted inputs."""
    options = {**network.cell.activations, **network.cell.options, **network.cell_options}
    f = FUNCTIONS[options["activation"]]
    if network.cell.name == "ctrnn":
        share = options["dt"] / (options["tau"] * np.exp(blocks["layer0.log_tau"]))
        share = share if options["method"] == "euler" else 1 - np.exp(-share)
        state = (1 - share) * state + share * total
        return state, f(state + blocks["layer0.theta"])
    leak = options.get("leak", 1.0)
    state = (1 - leak) * state + leak * f(total + blocks["layer0.b"])
    return state, state


def by_hand(network, genome, batch, strategy, target_weights):
    """Return the readout weights and the recurrent weights after training, by matrices alone."""
    blocks = {name: block.copy() for name, block in network.unpack(genome).items()}
    inner = blocks["layer0.W" if network.cell.name == "ctrnn" else "layer0.W_h"]
    units, full = len(inner), strategy.full
    wanted = inner.copy()
    weights = p = None
    for row, length in enumerate(batch.lengths):
        state, output, back = np.zeros(units), np.zeros(units), np.zeros(network.outputs)
        if network.cell.name == "ctrnn":
            output = FUNCTIONS[network.cell_options["activation"]](blocks["layer0.theta"])
        other_state, other, before = np.zeros(units), output.copy(), np.zeros(network.outputs)
        scored, updates = batch.scored[row], 0
        for t in range(length):
            x, target = batch.inputs[row, t].copy(), batch.targets[row, t]
            if network.feedback:
                if t and not scored[:t].any():
                    back = batch.targets[row, t - 1]
                seen = np.concatenate([x, back])
            else:
                if not full and scored[: t + 1].any():
                    x[: network.outputs] = back
                seen = x
            total = blocks["layer0.W_x"] @ seen + inner @ output
            state, output = unit_step(network, blocks, total, state)
            if full:
                total = blocks["layer0.W_x"] @ x + wanted @ other + target_weights @ before
                other_state, other = unit_step(network, blocks, total, other_state)
                before = target
            features = output if full else np.concatenate([x] * network.direct + [output, [1.0]])
            if p is None:
                weights = np.zeros((network.outputs, len(features)))
                p = np.eye(len(features)) / strategy.alpha
            back = weights @ features
            if scored[t]:
                if updates % strategy.update_every == 0:
                    gain = p @ features
                    share = 1 / (strategy.forgetting + features @ gain)
                    weights = weights - share * np.outer(back - target, gain)
                    if full:
                        hint = wanted @ other + target_weights @ target
                        inner = inner - share * np.outer(inner @ output - hint, gain)
                    p = (p - share * np.outer(gain, gain)) / strategy.forgetting
                updates += 1
    return weights, inner


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"cell": "leaky", "feedback": True, "cell_options": {"leak": 0.4}}, {"update_every": 3, "links": 2}),
        pytest.param(
            {"cell": "elman", "feedback": True, "direct": True},
            {"forgetting": 0.95, "links": 5},
            marks=pytest.mark.thorough,
        ),
        (
            {"cell": "ctrnn", "direct": True, "cell_options": {"dt": 0.3, "activation": "tanh"}},
            {"alpha": 0.5},
        ),
        ({"cell": "leaky", "cell_options": {"leak": 0.4}, "direct": True}, {"full": True, "links": 2}),
        pytest.param(
            {"cell": "ctrnn", "cell_options": {"dt": 0.3, "method": "euler", "activation": "sigmoid"}},
            {"full": True, "alpha": 0.2},
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_training_is_the_loop_by_hand(options, settings):
    rng = np.random.default_rng(0)
    own = not options.get("feedback") and not settings.get("full")
    series = rng.normal(size=(2, 31, 2))
    inputs, targets = series[:, :-1], series[:, 1:] if own else rng.normal(size=(2, 30, 2))
    mask = np.tile(np.arange(30) >= 4, (2, 1))
    batch = Batch(inputs, targets, mask=mask, lengths=[30, 22])
    network = Network(2, 2, hidden=6, dtype="float64", **options)
    strategy = FORCE(reservoirs=1, leak=None, bias_scaling=0.3, input_scaling=0.5, **settings)
    result = strategy.fit(network, batch, seed=0)
    after = network.unpack(result.genome)
    draws = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(STRATEGY_STREAM,)))
    values = strategy._draw(network, draws, first=True)
    start, _ = draw_reservoir(network, strategy.scales(values, network), draws)
    target_weights = draws.uniform(-1, 1, (6, 2))
    weights, inner = by_hand(network, start, batch, strategy, target_weights)
    found = [after["readout.W"]]
    if not settings.get("full"):
        found += [after["readout.b"][:, None]]
        found = [after["readout.W_x"], *found] if network.direct else found
    np.testing.assert_allclose(np.hstack(found), weights, rtol=1e-7, atol=1e-9)
    name = "layer0.W" if network.cell.name == "ctrnn" else "layer0.W_h"
    np.testing.assert_allclose(after[name], inner, rtol=1e-7, atol=1e-9)


def four_sines(start, steps, known):
    """Return a sum of four sines with a common period of 300 steps, of which the first are known."""
    angle = 2 * np.pi * np.arange(start, start + steps) / 300
    wave = np.sin(angle) + np.sin(2 * angle) / 2 + np.sin(3 * angle) / 6 + np.sin(4 * angle) / 3
    return Batch(np.zeros((1, steps, 0)), wave[None, :, None], mask=np.arange(steps)[None] >= known)


@pytest.mark.thorough
def test_a_network_goes_on_with_a_sum_of_four_sines_after_learning_is_switched_off():
    network = Network(0, 1, cell="leaky", hidden=200, feedback=True, dtype="float64")
    data = four_sines(0, 5000, 300), four_sines(70, 1500, 600), four_sines(40, 1500, 600)
    result = FORCE(reservoirs=1, leak=0.2, links=20, update_every=2).fit(network, data, seed=0)
    assert result.metrics["test"]["nrmse_std"] < 0.2
    assert result.history["online_error"][0] < 0.02 and result.meter.work > 0
    same = FORCE(reservoirs=1, leak=0.2, links=20, update_every=2).fit(network, data, seed=0)
    assert (same.genome == result.genome).all()


@pytest.mark.thorough
def test_full_force_learns_four_sines_from_every_start_where_force_with_as_many_units_fails_from_some():
    task, errors = evorrn.task("waveform", waves=4, steps=600, shortest=30, longest=300), {}
    for full in (False, True):
        network = Network.for_task(task, cell="leaky", hidden=160, feedback=not full, dtype="float64")
        strategy = FORCE(reservoirs=1, leak=0.2, full=full, epochs=30, input_scaling=1.0)
        found = [strategy.fit(network, task, seed=seed).metrics["test"]["nrmse_std"] for seed in range(6)]
        errors[full] = max(found)
    assert errors[True] < 0.15 and errors[False] > 0.4


@pytest.mark.parametrize("full", [False, True])
def test_all_passes_over_the_training_data_count_as_time_steps(full):
    rng = np.random.default_rng(0)
    train, valid = (
        Batch(rng.normal(size=(1, steps, 1)), rng.normal(size=(1, steps, 1))) for steps in (100, 10)
    )
    network = Network(1, 1, cell="leaky", hidden=12, feedback=True, dtype="float64")
    one, nine = (
        FORCE(reservoirs=1, epochs=epochs, full=full).fit(network, (train, valid), seed=0).meter.steps_forward
        for epochs in (1, 9)
    )
    assert nine - one == 800 and one == 110 + 100 + 100 * full


def test_networks_that_force_cannot_train_are_refused_with_a_sentence():
    rng = np.random.default_rng(0)
    noise = Batch(rng.normal(size=(1, 30, 1)), rng.normal(size=(1, 30, 1)))
    with pytest.raises(ConfigError, match=r"needs a network that sees its own output.*full=True"):
        FORCE(reservoirs=1).fit(Network(1, 1, cell="leaky"), noise)
    with pytest.raises(ConfigError, match="needs a cell elman, leaky or ctrnn"):
        FORCE(reservoirs=1).fit(Network(1, 1, cell="gru", feedback=True), noise)
    with pytest.raises(ConfigError, match="needs one layer and the loss mse"):
        FORCE(reservoirs=1).fit(Network(1, 1, cell="leaky", hidden=(4, 4), feedback=True), noise)


def test_a_series_that_continues_itself_needs_no_feedback_and_diverged_networks_are_no_candidates():
    wave = np.sin(0.3 * np.arange(201))[None, :, None]
    batch = Batch(wave[:, :-1], wave[:, 1:], mask=np.arange(200)[None] >= 20)
    network = Network(1, 1, cell="leaky", hidden=30, dtype="float64", cell_options={"activation": "identity"})
    result = FORCE(reservoirs=2, spectral_radius=40.0, leak=None).fit(network, batch)
    assert np.isinf(result.history["train_loss"]).all() or np.isnan(result.history["online_error"]).any()
    assert FORCE(reservoirs=1).fit(Network(1, 1, cell="leaky", hidden=30), batch).metrics["train"]
