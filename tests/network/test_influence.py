"""The derivative of state and outputs with respect to the genome, carried forward in time."""

import numpy as np
import pytest

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.network.network import Network

NETWORKS = {
    "elman": {"cell": "elman", "hidden": 5},
    "two layers of lstm": {"cell": "lstm", "hidden": (3, 2)},
    "a product inside of a gate": {"cell": "gru-reset-before", "hidden": 3},
    "derived weights": {"cell": "clockwork", "hidden": 4},
    "feedback": {"cell": "elman", "hidden": 3, "feedback": True},
    "feedback of probabilities": {
        "cell": "gru",
        "hidden": 3,
        "feedback": True,
        "loss": "binary-cross-entropy",
    },
    "past values": {"cell": "narx", "hidden": 3},
    "first states that are learned": {"cell": "gru", "hidden": 3, "learn_start": True, "direct": True},
    "no biases": {"cell": "indrnn", "hidden": 4, "biases": False, "reads": "all"},
}
QUICK = ("feedback", "derived weights", "past values")
CHOSEN = [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in NETWORKS]


def made(name, sequences, steps, seed=0):
    rng = np.random.default_rng(seed)
    network = Network(2, 2, dtype="float64", **NETWORKS[name])
    x = rng.standard_normal((sequences, steps, 2))
    return network, network.init(rng=rng), x, 0.5 * rng.random((sequences, network.state_size))


@pytest.mark.parametrize(("sequences", "steps"), [(1, 1), (3, 7)])
@pytest.mark.parametrize("name", CHOSEN)
def test_influence_is_the_derivative_of_the_last_state(name, sequences, steps):
    network, genome, x, state = made(name, sequences, steps)
    outputs, last, influence = network.influence(genome, x, state=state)
    plain, end = network.predict(genome, x, state, True)
    np.testing.assert_allclose(outputs, plain, atol=1e-13)
    np.testing.assert_allclose(last, end, atol=1e-13)
    along = np.random.default_rng(1).standard_normal(network.size)
    up, down = (network.predict(genome + e * along, x, state, True)[1] for e in (1e-6, -1e-6))
    np.testing.assert_allclose(influence @ along, (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_influence_of_a_sequence_in_parts_is_that_of_the_whole(name, monkeypatch):
    network, genome, x, state = made(name, 2, 9)
    whole = network.influence(genome, x, state=state)[2]
    monkeypatch.setattr("evorrn.network.differentiated.MOST_NUMBERS", 1)  # one time step after the other
    _, middle, influence = network.influence(genome, x[:, :4], state=state)
    np.testing.assert_allclose(network.influence(genome, x[:, 4:], influence, middle)[2], whole, atol=1e-12)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_jacobian_is_the_derivative_of_the_last_outputs(name):
    network, genome, x, state = made(name, 3, 6)
    jacobian = network.jacobian(genome, x, state)
    along = np.random.default_rng(1).standard_normal(network.size)
    up, down = (network.predict(genome + e * along, x, state)[:, -1] for e in (1e-6, -1e-6))
    np.testing.assert_allclose(jacobian @ along, (up - down) / 2e-6, rtol=1e-6, atol=1e-8)
    weights = np.zeros((3, 6, 2))
    weights[:, -1] = np.random.default_rng(2).standard_normal((3, 2))
    together = network.vjp(genome, x, weights, state=state)
    np.testing.assert_allclose(np.einsum("bo,bon->n", weights[:, -1], jacobian), together, atol=1e-12)


def test_an_influence_of_a_wrong_shape_or_beyond_the_memory_is_refused():
    network, genome, x, state = made("elman", 3, 2)
    with pytest.raises(ShapeError, match=r"influence: expected shape \(3, 5, 52\), got \(3, 5, 51\)"):
        network.influence(genome, x, np.zeros((3, 5, 51)), state)
    large = Network(1, 1, cell="elman", hidden=20_000)
    with pytest.raises(
        ConfigError, match=r"influence: an array of 1 x 20000 x 400060001 numbers takes 29,80[0-9] GiB"
    ):
        large.influence(np.zeros(1), np.zeros((1, 1, 1)))


QUICK = ("elman", "derived weights", "feedback", "first states that are learned")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.thorough) for n in sorted(NETWORKS)]
)
def test_single_steps_have_the_outputs_of_the_whole_and_their_jacobian(name):
    network, genome, x, _ = made(name, 3, 6)
    step = network.stepper(genome, np.tile(network.first_state, (3, 1)))
    whole = network.predict(genome, x)
    for t in range(6):
        outputs, jacobian = step(genome, x[:, t])
        np.testing.assert_allclose(outputs, whole[:, t], atol=1e-12)
        np.testing.assert_allclose(jacobian, network.jacobian(genome, x[:, : t + 1]), rtol=1e-9, atol=1e-11)


def test_single_steps_take_values_in_place_of_the_last_outputs():
    network, genome, x, _ = made("feedback", 2, 5)
    taught = np.random.default_rng(1).standard_normal((2, 5, 2))
    taught[:, 3:] = np.nan
    step = network.stepper(genome, np.tile(network.first_state, (2, 1)), True)
    steps = [tuple(part.copy() for part in step(genome, x[:, t], taught[:, t])) for t in range(5)]
    along = np.random.default_rng(2).standard_normal(network.size)
    up, down = (network.predict(genome + e * along, x, teacher=taught) for e in (1e-6, -1e-6))
    for t, (outputs, jacobian) in enumerate(steps):
        np.testing.assert_allclose(outputs, network.predict(genome, x, teacher=taught)[:, t], atol=1e-12)
        np.testing.assert_allclose(jacobian @ along, (up - down)[:, t] / 2e-6, rtol=1e-6, atol=1e-8)
