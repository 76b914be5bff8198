"""Time steps with their derivatives: their product along time is the gradient that goes back through time."""

import numpy as np
import pytest
from chains import CHAINS

from evorrn import Batch, Network
from evorrn.strategies.gradient import jacobian as jacobian_module
from evorrn.strategies.gradient.jacobian import jacobians

SLOW = {"dnc", "ntm", "ntm-feed-forward", "pushdown", "pushdown-automaton", "stack"}
OPTIONS = [{}, {"feedback": True}, {"loss": "cross-entropy", "feedback": True}, {"learn_start": True}]


def agree(network, seed):
    rng = np.random.default_rng(seed)
    genome = network.init(rng=rng) + 0.1 * rng.standard_normal(network.size)
    lengths, mask = np.array([5, 2, 4]), rng.random((3, 5)) < 0.6
    mask[:, 1] = True
    labels = network.loss_function.labels
    targets = rng.integers(0, 2, (3, 5)) if labels else rng.random((3, 5, 2))
    batch = Batch(rng.standard_normal((3, 5, 2)), targets, mask=mask, lengths=lengths)
    teacher = network.warm_up(batch)
    predicted = network.predict(genome, batch.inputs, lengths=lengths, teacher=teacher)
    upon = rng.standard_normal((3, 5, 2))
    total = np.zeros(network.size)
    for rows, t, outputs, jacobian in jacobians(network, genome, batch):
        assert (rows == np.flatnonzero(batch.scored[:, t])).all()
        np.testing.assert_allclose(outputs, predicted[rows, t], rtol=1e-9, atol=1e-11)
        total += np.einsum("ko,kon->n", upon[rows, t], jacobian)
    wanted = network.vjp(
        genome, batch.inputs, upon * batch.scored[:, :, None], lengths=lengths, teacher=teacher
    )
    np.testing.assert_allclose(total, wanted, rtol=1e-8, atol=1e-10 * (1 + abs(wanted).max()))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["elman", "lstm-peephole"])
def test_jacobians_of_all_outputs_add_up_to_the_gradient_through_time(name, options, monkeypatch):
    monkeypatch.setattr(jacobian_module, "MOST_NUMBERS", 1500)  # a few time steps at a time
    agree(Network(2, 2, cell=name, hidden=3, dtype="float64", **options), 1)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in CHAINS if name not in SLOW])
def test_jacobians_of_every_cell_add_up_to_the_gradient_through_time(name):
    agree(Network(2, 2, cell=name, hidden=4, dtype="float64"), 2)
