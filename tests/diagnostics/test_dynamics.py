"""The step in NumPy equals the compiled network, and its derivatives equal differences of the compiled network."""

import numpy as np
import pytest
from chains import CHAINS

import evorrn
from evorrn.diagnostics import activity
from evorrn.diagnostics.dynamics import Dynamics

FORMS = {
    "one layer": {},
    "two layers": {"hidden": (3, 2)},
    "all layers read": {"hidden": (3, 2), "reads": "all"},
    "no biases": {"biases": False},
    "feedback and direct": {"feedback": True, "direct": True},
    "probability of classes fed back": {"feedback": True, "loss": "cross-entropy"},
    "probabilities fed back": {"feedback": True, "loss": "binary-cross-entropy"},
    "bits fed back": {"feedback": True, "loss": "binary-cross-entropy", "fed_back": "bit"},
}


def made(cell, seed=0, **form):
    network = evorrn.Network(2, 2, cell=cell, dtype="float64", **{"hidden": 3, **form})
    rng = np.random.default_rng(seed)
    return network, network.init(rng=rng) + 0.3 * rng.normal(size=network.size), rng


def check(network, genome, rng, closed=False):
    dynamics = Dynamics(network, genome, closed)
    spread = (
        0.05 if network.cell.name == "dnc" else 0.5
    )  # its usages and links are shares: far from these it explodes
    x, state = rng.normal(size=(3, 4, 2)), spread * rng.normal(size=(3, network.state_size))
    outputs, after = network.predict(genome, x, state=state, return_state=True)
    at, seen = state, []
    for time in range(4):
        following = dynamics.step(at, x[:, time])
        seen.append(dynamics.output(following, x[:, time]))
        at = following
    np.testing.assert_allclose(np.stack(seen, axis=1), outputs, atol=1e-12)
    np.testing.assert_allclose(at, after, atol=1e-12)
    return dynamics, x, state


QUICK = ("elman", "lstm", "clockwork", "stack")
"""Cells that stand for the others in the quick tests: each of the others compiles programs of its own."""
EVERY = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough)
    for name in sorted(set(CHAINS) - {"lif"})  # whose spikes are steps
]


@pytest.mark.parametrize("cell", EVERY)
@pytest.mark.parametrize("form", FORMS)
def test_the_step_and_its_jacobian_equal_those_of_the_compiled_network(cell, form):
    network, genome, rng = made(cell, **FORMS[form])
    dynamics, x, state = check(network, genome, rng)
    following, jacobian = dynamics.jacobian(state, x[:, 0])
    columns = []
    for entry in np.eye(network.state_size):
        high, low = (
            network.predict(genome, x[:, :1], state=state + sign * 1e-6 * entry, return_state=True)[1]
            for sign in (1, -1)
        )
        columns.append((high - low) / 2e-6)
    np.testing.assert_allclose(jacobian, np.stack(columns, axis=2), atol=1e-7)
    pulled = rng.normal(size=state.shape)
    np.testing.assert_allclose(
        dynamics.pull(state, x[:, 0], pulled), np.einsum("bi,bij->bj", pulled, jacobian), atol=1e-12
    )
    np.testing.assert_allclose(following, dynamics.step(state, x[:, 0]), atol=1e-14)


@pytest.mark.parametrize("cell", ["elman", "lstm", "jordan"])
def test_a_closed_loop_is_that_of_a_forecast(cell):
    network, genome, rng = made(cell)
    dynamics = Dynamics(network, genome, closed=True)
    x = rng.normal(size=(2, 6, 2))
    outputs = network.predict(genome, x, free_from=np.array([0, 0]))
    at, seen = dynamics.start(None, 2), []
    for time in range(6):
        before = at
        at = dynamics.step(at, x[:, time])
        seen.append(dynamics.split(at)["y"])
    np.testing.assert_allclose(np.stack(seen, axis=1), outputs, atol=1e-12)
    _, jacobian = dynamics.jacobian(before, x[:, -1])
    for column, entry in enumerate(np.eye(dynamics.size)):
        high, low = (dynamics.step(before + sign * 1e-6 * entry, x[:, -1]) for sign in (1, -1))
        np.testing.assert_allclose(jacobian[:, :, column], (high - low) / 2e-6, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_activity_has_every_named_value_of_an_lstm(form):
    network, genome, rng = made("lstm", **FORMS[form])
    x = rng.normal(size=(3, 5, 2))
    found = activity(network, genome, x)
    layers = range(len(network.hidden))
    assert set(found) == {f"layer{k}.{name}" for k in layers for name in "ifgohc"} | {"y"}
    np.testing.assert_allclose(found["y"], network.predict(genome, x), atol=1e-12)
    top = f"layer{layers[-1]}."
    np.testing.assert_allclose(found[top + "h"], network.states(genome, x), atol=1e-12)
    cell = found[top + "c"]
    before = np.concatenate([np.zeros_like(cell[:, :1]), cell[:, :-1]], axis=1)
    np.testing.assert_allclose(
        cell, found[top + "f"] * before + found[top + "i"] * found[top + "g"], atol=1e-12
    )
    np.testing.assert_allclose(found[top + "h"], found[top + "o"] * np.tanh(cell), atol=1e-12)


def test_activity_of_a_network_of_float32_goes_on_from_a_state():
    network = evorrn.Network(1, 1, cell="gru", hidden=4)
    genome, x = network.init(seed=3), np.random.default_rng(0).normal(size=(1, 9, 1))
    whole = activity(network, genome, x)
    first = activity(network, genome, x[:, :4])
    second = activity(network, genome, x[:, 4:], state=first["layer0.h"][:, -1])
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([first[name], second[name]], axis=1), values)
    np.testing.assert_allclose(whole["y"], network.predict(genome, x), atol=1e-5)


def test_wrong_arrays_are_refused():
    network = evorrn.Network(2, 3, hidden=2)
    genome = network.init(seed=0)
    with pytest.raises(evorrn.EvorrnError, match=r"x: expected shape \(B, T, 2\), got \(4, 2\)"):
        activity(network, genome, np.zeros((4, 2)))
    with pytest.raises(evorrn.EvorrnError, match=r"state: expected shape \(1, 2\), got \(1, 5\)"):
        activity(network, genome, np.zeros((1, 4, 2)), state=np.zeros((1, 5)))
    with pytest.raises(evorrn.EvorrnError, match="genomes: expected shape"):
        activity(network, genome[1:], np.zeros((1, 4, 2)))
    with pytest.raises(evorrn.EvorrnError, match="closed: 3 outputs cannot replace 2 inputs"):
        activity(network, genome, np.zeros((1, 4, 2)), closed=True)
