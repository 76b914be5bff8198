"""Readouts of classes by logistic regression and support vector machines, on states of a reservoir."""

import numpy as np
import pytest

from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError

pytest.importorskip("sklearn")


def three_classes(per_class=20, classes=3):
    """Return sequences whose class is the speed of their wave, and the class of each."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    angle = (0.3 + 0.3 * labels)[:, None] * np.arange(30) + rng.uniform(0, 6, (len(labels), 1))
    return Batch(np.sin(angle)[:, :, None] + 0.02 * rng.normal(size=(len(labels), 30, 1)), labels), labels


@pytest.mark.parametrize("kind", ["logistic", "svm"])
@pytest.mark.parametrize(("classes", "outputs"), [(3, 3), (2, 2), (2, 4)])
def test_classes_are_told_and_the_readout_is_in_the_genome(kind, classes, outputs):
    batch, labels = three_classes(classes=classes)
    network = Network(1, outputs, cell="leaky", hidden=25, dtype="float64", direct=True, loss="cross-entropy")
    strategy = EchoState(reservoirs=1, classifier=kind, alphas=(1e-4, 1e-2, 1.0))
    result = strategy.fit(network, batch, seed=0)
    assert result.metrics["train"]["accuracy"] > 0.8 and result.metrics["train"]["cross_entropy"] < 0.6
    assert (result.predict(batch.inputs)[:, -1].argmax(axis=1) == labels).mean() > 0.8
    assert result.meter.work > 0 and result.history["alpha"][0] in strategy.alphas
    again = strategy.fit(network, batch, seed=0)
    assert (again.genome == result.genome).all()


def test_the_weights_minimise_the_penalised_loss():
    batch, _ = three_classes(classes=2)
    network = Network(1, 2, cell="leaky", hidden=8, dtype="float64", loss="cross-entropy")
    alpha = 1e-2
    result = EchoState(reservoirs=1, classifier="logistic", alphas=(alpha,)).fit(network, batch, seed=0)
    states = result.network.states(result.genome, batch.inputs)[:, -1]
    deviation = states.std(axis=0)
    blocks = network.unpack(result.genome)
    w = (blocks["readout.W"][1] - blocks["readout.W"][0]) * deviation
    b = blocks["readout.b"][1] - blocks["readout.b"][0] + (blocks["readout.W"][1] @ states.mean(axis=0))
    sign = 2 * batch.targets[:, -1] - 1
    x = (states - states.mean(axis=0)) / deviation

    def loss(weights, bias):
        return np.logaddexp(0, -sign * (x @ weights + bias)).mean() + alpha * weights @ weights / 2

    rng, least = np.random.default_rng(0), loss(w, b)
    for _ in range(50):
        step = 0.02 * rng.normal(size=8)
        assert loss(w + step, b) > least - 1e-6


def test_truth_values_are_fitted_output_by_output():
    batch, labels = three_classes()
    truth = np.repeat((labels[:, None] == [0, 2]).astype(float)[:, None], 30, axis=1)
    last = np.tile(np.arange(30) == 29, (len(labels), 1))
    network = Network(1, 2, cell="leaky", hidden=25, dtype="float64", loss="binary-cross-entropy")
    data = Batch(batch.inputs, truth, mask=last)
    result = EchoState(reservoirs=1, classifier="logistic", alphas=(1e-3, 1e-1)).fit(network, data, seed=0)
    assert result.metrics["train"]["binary_accuracy"] > 0.8


def test_classifiers_of_numbers_and_under_feedback_are_refused():
    batch = Batch(np.zeros((1, 30, 1)), np.zeros((1, 30, 1)))
    with pytest.raises(ConfigError, match="classifier svm: needs a loss of classes"):
        EchoState(reservoirs=1, classifier="svm").fit(Network(1, 1, cell="leaky", dtype="float64"), batch)
