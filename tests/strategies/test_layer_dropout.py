"""Dropout between layers: units that the next layer and the readout do not see during an update."""

import numpy as np
import pytest

from evorrn import BPTT, RTRL, Batch, Network, Problem, cell, total
from evorrn.base.errors import ConfigError
from evorrn.base.files import tree_bytes
from evorrn.strategies.gradient.layer_dropout import LayerDropout


def data(network, sequences=3, steps=7):
    x, y = np.random.default_rng(0).standard_normal((2, sequences, steps, 2))
    return Batch(x, y[:, :, :1])


@pytest.mark.parametrize(
    "options", [{"cell": "gru"}, {"cell": "fir"}, {"cell": "lstm", "bidirectional": True}]
)
def test_a_dropped_unit_is_not_seen_and_the_others_weigh_more(options):
    """A network without the dropped units, by setting all weights that read them to zero, one by one."""
    network = Network(2, 1, hidden=(5, 4), dtype="float64", **options)
    factors = network.unpack(LayerDropout(network, 0.5).draw(np.random.default_rng(2)))
    width = factors["readout.W"].shape[1]
    below = next(f for name, f in factors.items() if name.startswith("layer1") and f.ndim > 1)
    kept = below.reshape(-1, below.shape[-1])[0]
    assert set(np.unique(kept)) == {0.0, 2.0} and set(np.unique(factors["readout.W"])) <= {0.0, 2.0}
    for name, factor in factors.items():
        recurrent = name.startswith("layer1") and ".U" in name
        if name.startswith("layer0") or factor.ndim == 1 or recurrent:
            assert (factor == 1).all()
        elif name.startswith("layer1"):
            np.testing.assert_array_equal(factor, np.broadcast_to(kept, factor.shape))
    assert factors["readout.W"].shape == (1, width)


def test_sums_keep_their_mean():
    network = Network(2, 1, cell="elman", hidden=(3, 3))
    dropout, rng = LayerDropout(network, 0.25), np.random.default_rng(0)
    mean = np.mean([dropout.draw(rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(mean, 1, atol=0.05)


@pytest.mark.parametrize("strategy", [BPTT, RTRL])
def test_an_update_follows_the_gradient_of_the_network_without_the_dropped_units(strategy):
    network = Network(2, 1, cell="gru", hidden=(3, 3), dtype="float64")
    batch, usual = (
        data(network),
        {"optimiser": "sgd", "momentum": 0.0, "rate": 0.1, "clip": 0.0, "batch_size": 0},
    )
    further = {"update_every": 7} if strategy is RTRL else {}
    made = strategy(layer_dropout=0.5, schedule="constant", **usual, **further)
    problem = Problem(network, batch, batch)
    state = made.start(problem, np.random.default_rng(3))
    rng = np.random.default_rng(0)
    rng.bit_generator.state = state["rng"]
    factors = LayerDropout(network, 0.5).draw(rng)
    gradient = network.loss_and_gradient(state["genome"] * factors, batch)[1] * factors
    after = made.step(problem, state)["genome"]
    np.testing.assert_allclose(after, state["genome"] - 0.1 * gradient, rtol=1e-9, atol=1e-12)


def test_training_goes_on_to_the_same_bytes():
    network = Network(2, 1, cell="elman", hidden=(3, 2))
    made, whole = BPTT(layer_dropout=0.3, batch_size=2), None
    for stops in ((6,), (3, 3)):
        state = made.start(Problem(network, data(network), data(network)), np.random.default_rng(1))
        for count in stops:
            problem = Problem(network, data(network), data(network))
            for _ in range(count):
                state = made.step(problem, state)
        whole = whole or tree_bytes(state)
        assert tree_bytes(state) == whole


@cell(state={"h": "H"}, parameters={"u b": "H"}, recurrent="u")
def passing(p, x, h):
    """Sees the sum of its inputs, without weights."""
    return (total(x) + p.u * h + p.b,)


def test_a_layer_that_sees_units_without_weights_is_refused():
    network = Network(3, 1, cell=["elman", passing], hidden=(3, 3))
    with pytest.raises(ConfigError, match=r"layer_dropout needs layers.*input_dropout serves it"):
        BPTT(layer_dropout=0.1).fit(network, Batch(np.ones((1, 3, 3)), np.ones((1, 3, 1))), budget="1gen")
