"""Quadratic forms of a vector, which need each pair of its entries once."""

import numpy as np
import pytest

from evorrn import Batch, Network, cell, einsum
from evorrn.compile.pairs import folded, pairs


@cell(state={"h": "H"}, parameters={"W": "H I", "V": "H H H", "b": "H"})
def quadratic(p, x, h):
    """A unit sees the products of all pairs of units."""
    return np.tanh(p.W @ x + einsum("kij,i,j->k", p.V, h, h) + p.b)


@cell(state={"h": "H"}, parameters={"W": "H I", "V": "H H H", "b": "H"})
def turned(p, x, h):
    """The same sum with the letters of the weights in another order."""
    return np.tanh(p.W @ x + einsum("ikj,j,i->k", p.V, h, h) + p.b)


def run(network, genome, x, order):
    """Return the outputs by a loop over time in NumPy."""
    p = {name.removeprefix("layer0."): block for name, block in network.unpack(genome).items()}
    h, outputs = np.zeros((len(x), len(p["b"]))), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ p["W"].T + np.einsum(order, p["V"], h, h) + p["b"])
        outputs.append(h @ p["readout.W"].T + p["readout.b"])
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_folded_weights_times_pairs_are_the_whole_sum(size):
    rng = np.random.default_rng(size)
    weights, v = rng.standard_normal((3, size, size)), rng.standard_normal(size)
    np.testing.assert_allclose(
        folded(weights) @ pairs(v, v), np.einsum("kij,i,j->k", weights, v, v), rtol=1e-12
    )


@pytest.mark.parametrize("written,order", [(quadratic, "kij,bi,bj->bk"), (turned, "ikj,bj,bi->bk")])
@pytest.mark.parametrize("hidden", [1, 4, 7])
def test_a_cell_with_a_quadratic_form_equals_numpy_and_its_gradient_differences(written, order, hidden):
    rng = np.random.default_rng(hidden)
    network = Network(2, 2, cell=written, hidden=hidden, dtype="float64")
    genome = network.init(rng=rng) + 0.1 * rng.standard_normal(network.size)
    lengths = rng.integers(1, 7, 19)
    x, y = rng.standard_normal((2, 19, 6, 2))
    outputs = network.predict(genome, x, lengths=lengths)
    inside = np.arange(6)[None, :] < lengths[:, None]
    np.testing.assert_allclose(
        outputs[inside], run(network, genome, x, order)[inside], rtol=1e-12, atol=1e-12
    )
    batch = Batch(x, y, lengths=lengths)
    _, gradient = network.loss_and_gradient(genome, batch)
    v, step = rng.standard_normal(network.size), 1e-5
    ends = [network.loss_and_gradient(genome + sign * step * v, batch)[0] for sign in (1, -1)]
    assert gradient @ v == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


@cell(state={"h": "H"}, parameters={"W": "H I", "Q": "H H"})
def energy(p, x, h):
    """A unit whose step shrinks with a quadratic form, one number of all units."""
    return np.tanh(p.W @ x + h) / (1 + np.exp(-einsum("ij,i,j->", p.Q, h, h)))


@pytest.mark.parametrize("hidden", [1, 3, 6])
def test_a_quadratic_form_that_is_one_number_equals_numpy_and_its_gradient_differences(hidden):
    rng = np.random.default_rng(hidden)
    network = Network(2, 2, cell=energy, hidden=hidden, dtype="float64")
    genome = rng.standard_normal(network.size)
    p = network.unpack(genome)
    x, y = rng.standard_normal((2, 19, 4, 2))
    h, wanted = np.zeros((19, hidden)), []
    for t in range(4):
        form = np.einsum("ij,bi,bj->b", p["layer0.Q"], h, h)
        h = np.tanh(x[:, t] @ p["layer0.W"].T + h) / (1 + np.exp(-form))[:, None]
        wanted.append(h @ p["readout.W"].T + p["readout.b"])
    np.testing.assert_allclose(network.predict(genome, x), np.stack(wanted, axis=1), rtol=1e-12, atol=1e-12)
    _, gradient = network.loss_and_gradient(genome, Batch(x, y))
    v, step = rng.standard_normal(network.size), 1e-5
    ends = [network.loss_and_gradient(genome + sign * step * v, Batch(x, y))[0] for sign in (1, -1)]
    assert gradient @ v == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_both_orders_of_a_pair_share_a_weight_and_both_get_its_gradient():
    network = Network(1, 1, cell=quadratic, hidden=3, dtype="float64")
    genome = network.init(seed=0)
    batch = Batch(np.ones((4, 5, 1)), np.zeros((4, 5, 1)))
    V = network.unpack(network.loss_and_gradient(genome, batch)[1])["layer0.V"]
    np.testing.assert_allclose(V, np.swapaxes(V, 1, 2), rtol=1e-12)
    assert np.any(V != 0)


def test_the_influence_of_a_quadratic_form_is_the_derivative_of_the_last_state():
    rng = np.random.default_rng(3)
    network = Network(2, 1, cell=quadratic, hidden=4, dtype="float64")
    genome, along = network.init(rng=rng), rng.standard_normal(network.size)
    x, state = rng.standard_normal((3, 6, 2)), 0.3 * rng.random((3, 4))
    _, _, influence = network.influence(genome, x, state=state)
    up, down = (network.predict(genome + e * along, x, state, True)[1] for e in (1e-6, -1e-6))
    np.testing.assert_allclose(influence @ along, (up - down) / 2e-6, rtol=1e-6, atol=1e-8)
