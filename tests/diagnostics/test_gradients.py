"""Gradients by lag against differences of the compiled loss, and networks whose gradient is known."""

import numpy as np
import pytest

import evorrn
from evorrn.diagnostics import gradient_by_lag

pytestmark = pytest.mark.thorough


def by_differences(network, genome, batch, row, last):
    """Return the norms (last + 1,) of the gradient of the loss at step `last` by differences of the state."""
    x = batch.inputs[row : row + 1]
    teacher = network.warm_up(batch)
    norms = []
    for time in range(last, 0, -1):
        rest = evorrn.Batch(
            x[:, time : last + 1],
            batch.targets[row : row + 1, time : last + 1],
            mask=np.arange(time, last + 1)[None] == last,
        )
        taught = None if teacher is None else teacher[row : row + 1]
        before = {} if taught is None else {"teacher": taught[:, :time]}
        after = None if taught is None else taught[:, time : last + 1]
        if after is None and network.step.feeds_back:
            after = np.full((1, last + 1 - time, network.outputs), np.nan)
        state = network.predict(genome, x[:, :time], return_state=True, **before)[1]
        slopes = []
        for entry in np.eye(network.state_size):
            high, low = (
                network.loss_and_gradient(genome, rest, state=state + sign * 1e-6 * entry, teacher=after)[0]
                for sign in (1, -1)
            )
            slopes.append((high - low) / 2e-6)
        norms.append(np.linalg.norm(slopes))
    return np.array(norms)


@pytest.mark.parametrize(
    "cell,form",
    [
        ("elman", {}),
        ("lstm", {"hidden": (3, 2), "reads": "all", "direct": True}),
        ("gru", {"feedback": True}),
        ("jordan", {"loss": "cross-entropy", "outputs": 3}),
        ("leaky", {"feedback": True, "loss": "binary-cross-entropy", "outputs": 1}),
        ("diagonal-jordan", {"biases": False}),
    ],
)
def test_any_cell_equals_differences_of_its_loss(cell, form):
    form = {"inputs": 2, "outputs": 2, "hidden": 3, "dtype": "float64", **form}
    network, rng = evorrn.Network(cell=cell, **form), np.random.default_rng(4)
    genome = network.init(rng=rng) + 0.3 * rng.normal(size=network.size)
    x, loss = rng.normal(size=(3, 7, 2)), form.get("loss", "mse")
    targets = rng.uniform(0, 1, size=(3, 7, network.outputs))
    if loss == "cross-entropy":
        targets = rng.integers(0, 3, size=(3, 7))
    mask = np.arange(7)[None] >= np.array([2, 4, 3])[:, None]
    batch = evorrn.Batch(x, targets, mask=mask, lengths=np.array([7, 5, 6]))
    found = gradient_by_lag(network, genome, batch)
    assert found.shape == (7,) and found.quartiles.shape == (2, 7)
    for row, last in enumerate([6, 4, 5]):
        wanted = by_differences(network, genome, batch, row, last)
        np.testing.assert_allclose(found.norms[0, row, 1 : last + 1], wanted, rtol=1e-5, atol=1e-8)
        assert np.isnan(found.norms[0, row, last + 1 :]).all()
    np.testing.assert_allclose(found, np.nanmedian(found.norms[0], axis=0))


def linear(matrix, seed=0):
    network = evorrn.Network(
        1, 1, hidden=len(matrix), cell_options={"activation": evorrn.identity}, dtype="float64"
    )
    blocks = network.unpack(network.init(seed=seed).copy())
    blocks["layer0.W_h"][:] = matrix
    return network, network.pack(blocks)


def noise(sequences, steps, seed=0):
    rng = np.random.default_rng(seed)
    return evorrn.Batch(rng.normal(size=(sequences, steps, 1)), rng.normal(size=(sequences, steps, 1)))


def test_an_orthogonal_linear_network_keeps_its_gradient_over_a_hundred_lags():
    network, genome = linear(np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0])
    found = gradient_by_lag(network, genome, noise(5, 101))
    np.testing.assert_allclose(found / found[0], 1.0, rtol=1e-10)


@pytest.mark.parametrize("weight", [0.9, -1.1])
def test_a_linear_unit_has_powers_of_its_weight(weight):
    network, genome = linear([[weight]])
    found = gradient_by_lag(network, genome, noise(1, 60))
    np.testing.assert_allclose(found / found[0], np.abs(weight) ** np.arange(60.0), rtol=1e-12)


def test_the_state_of_an_lstm_with_open_forget_gate_keeps_its_gradient():
    network = evorrn.Network(1, 1, cell="lstm", hidden=3, dtype="float64")
    blocks = network.unpack(network.init(seed=0).copy())
    for name, block in blocks.items():
        if name.startswith("layer0.U"):
            block[:] = 0.0  # the gates do not see the state
    blocks["layer0.W_f"][:] = 0.0
    blocks["layer0.b_f"][:] = 50.0
    found = gradient_by_lag(network, network.pack(blocks), noise(1, 80), state="layer0.c")
    np.testing.assert_allclose(found[1:], found[1], rtol=1e-9)


def test_several_genomes_have_one_median_and_quartiles():
    network = evorrn.Network(1, 1, hidden=4)
    genomes, batch = network.init_many(np.random.default_rng(0), 5), noise(3, 6)
    found = gradient_by_lag(network, genomes, batch)
    each = np.concatenate([gradient_by_lag(network, genome, batch).norms[0] for genome in genomes])
    np.testing.assert_array_equal(found, np.median(each, axis=0))
    np.testing.assert_array_equal(found.quartiles, np.quantile(each, [0.25, 0.75], axis=0))


def test_wrong_arguments_are_refused():
    network = evorrn.Network(1, 1, hidden=4)
    with pytest.raises(evorrn.EvorrnError, match=r"state: expected one of layer0.h, got 'h'"):
        gradient_by_lag(network, network.init(seed=0), noise(1, 4), state="h")
    reward = evorrn.Network(1, 1, hidden=4, loss="reward")
    with pytest.raises(evorrn.EvorrnError, match="needs an environment"):
        gradient_by_lag(reward, reward.init(seed=0), noise(1, 4))
