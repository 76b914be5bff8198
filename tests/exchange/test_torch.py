"""Outputs, losses and gradients against PyTorch: golden files made with it, and PyTorch itself if installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data.batch import Batch
from evorrn.network.network import Network

GOLDEN = Path(__file__).parents[1] / "golden"
CELLS = ("elman", "lstm", "gru")


def compare(cell, data, dtype, tolerance):
    weights = {name[7:]: value for name, value in data.items() if name.startswith("weight:")}
    hidden = weights["rnn.weight_hh_l0"].shape[1]
    layers = sum(name.startswith("rnn.weight_hh") for name in weights)
    x, target = data["x"], data["target"]
    network = Network(x.shape[2], target.shape[2], cell=cell, hidden=(hidden,) * layers, dtype=dtype)
    genome = network.from_torch(weights)
    np.testing.assert_allclose(network.predict(genome, x), data["y"], atol=tolerance)
    loss, gradient = network.loss_and_gradient(genome, Batch(x, target))
    assert loss == pytest.approx(float(data["loss"]), rel=10 * tolerance)
    largest = max(np.abs(v).max() for n, v in data.items() if n.startswith("gradient:"))
    for name, value in network.to_torch(gradient).items():
        if cell == "gru" and "bias_hh" in name:
            value = np.concatenate([data[f"gradient:{name}"][: 2 * hidden], value[2 * hidden :]])
        elif "bias_hh" in name:
            continue  # one bias stands for two: PyTorch's second gradient equals the first
        np.testing.assert_allclose(value, data[f"gradient:{name}"], atol=tolerance * largest)
    again = network.from_torch(network.to_torch(genome))
    np.testing.assert_array_equal(again, genome)


@pytest.mark.parametrize("cell", CELLS)
def test_results_equal_the_golden_files(cell):
    with np.load(GOLDEN / f"torch_{cell}.npz") as archive:
        data = dict(archive)
    compare(cell, data, "float64", 1e-12)
    compare(cell, data, "float32", 3e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("cell", CELLS)
def test_results_equal_pytorch(cell):
    pytest.importorskip("torch")
    sys.path.insert(0, str(GOLDEN))
    from make_torch import compute

    for seed, (inputs, hidden, outputs, layers, shape) in enumerate(
        [(1, 1, 1, 1, (1, 1)), (2, 17, 3, 1, (33, 20)), (5, 9, 2, 3, (3, 40))]
    ):
        compare(cell, compute(cell, seed, inputs, hidden, outputs, layers, shape), "float64", 1e-11)


def test_one_error_names_all_mistakes_in_a_state_dict():
    network = Network(2, 1, cell="lstm", hidden=3)
    weights = network.to_torch(network.init(seed=0))
    weights["rnn.weight_ih_l9"] = weights.pop("rnn.weight_ih_l0")
    weights["readout.bias"] = np.zeros(5)
    with pytest.raises(ShapeError) as caught:
        network.from_torch(weights)
    for word in ("rnn.weight_ih_l9", "rnn.weight_ih_l0: expected", "readout.bias: expected"):
        assert word in str(caught.value)
    independent = Network(2, 1, cell="indrnn", hidden=3)
    with pytest.raises(ConfigError, match="no such cell"):
        independent.to_torch(independent.init(seed=0))


def test_what_pytorch_has_no_weights_for_is_refused_and_both_directions_come_back():
    for settings, words in (
        ({"learn_start": True}, "learn_start: PyTorch's recurrent layers have no first states"),
        ({"bidirectional": True, "reads": "all", "hidden": (2, 3)}, 'reads="all"'),
        ({"cell": ["gru", "lstm"], "hidden": (2, 3)}, "networks of one cell"),
        ({"cell": "elman", "cell_options": {"activation": "softplus"}}, "have tanh and relu, no softplus"),
    ):
        network = Network(2, 1, **{"cell": "gru", "hidden": 2, **settings})
        with pytest.raises(ConfigError, match=words):
            network.to_torch(network.init(seed=0))
    network = Network(5, 2, cell="gru", hidden=(2, 3), bidirectional=True, embedding=4)
    genome = network.init(seed=0)
    weights = network.to_torch(genome)
    assert weights["rnn.weight_ih_l1_reverse"].shape == (9, 4)
    assert weights["embedding.weight"].shape == (5, 4)
    np.testing.assert_array_equal(network.from_torch(weights), genome)
