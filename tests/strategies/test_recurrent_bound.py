"""The bound of recurrent weights: what an update does with those that are larger."""

import numpy as np
import pytest

from evorrn import BPTT, RTRL, Batch, Network, Problem
from evorrn.base.errors import ConfigError
from evorrn.base.files import tree_bytes
from evorrn.strategies.gradient.descent import recurrent_genes

BOUND = 0.3


def data(sequences=3, steps=7):
    x, y = np.random.default_rng(0).standard_normal((2, sequences, steps, 2))
    return Batch(x, y[:, :, :1])


@pytest.mark.parametrize("strategy", [BPTT, RTRL])
def test_recurrent_weights_that_an_update_makes_larger_are_set_to_the_bound(strategy):
    """Against steps of plain descent by hand; the first weights are within the bound already, block by block."""
    network, batch = Network(2, 1, cell="gru", hidden=(3, 3), dtype="float64"), data()

    def limited(genome):
        blocks = {name: block.copy() for name, block in network.unpack(genome).items()}
        for name, block in blocks.items():
            if ".U_" in name:
                block[:] = np.minimum(np.maximum(block, -BOUND), BOUND)
        return network.pack(blocks)

    usual = {"optimiser": "sgd", "momentum": 0.0, "rate": 0.5, "clip": 0.0, "batch_size": 0}
    further = {"update_every": 7} if strategy is RTRL else {}
    made = strategy(recurrent_bound=BOUND, schedule="constant", **usual, **further)
    problem = Problem(network, batch, batch)
    state = made.start(problem, np.random.default_rng(3))
    drawn = strategy().start(problem, np.random.default_rng(3))["genome"]
    assert (limited(drawn) != drawn).any()
    np.testing.assert_array_equal(state["genome"], limited(drawn))
    reached = 0
    for _ in range(3):
        free = state["genome"] - 0.5 * network.loss_and_gradient(state["genome"], batch)[1]
        state = made.step(problem, state)
        reached += (free != limited(free)).sum()
        np.testing.assert_allclose(state["genome"], limited(free), rtol=1e-9, atol=1e-12)
    assert reached


def test_without_a_bound_nothing_changes_and_with_one_training_goes_on_to_the_same_bytes():
    network, batch = Network(2, 1, cell="elman", hidden=(3, 2)), data()

    def trained(made, stops):
        state = made.start(Problem(network, batch, batch), np.random.default_rng(1))
        for count in stops:
            problem = Problem(network, batch, batch)
            for _ in range(count):
                state = made.step(problem, state)
        return tree_bytes(state)

    assert trained(BPTT(batch_size=2), (4,)) == trained(BPTT(batch_size=2, recurrent_bound=1e9), (4,))
    bounded = BPTT(batch_size=2, recurrent_bound=0.1)
    assert trained(bounded, (4,)) == trained(bounded, (1, 3)) != trained(BPTT(batch_size=2), (4,))


def test_the_recurrent_weights_of_units_that_see_only_themselves_are_a_vector_a_layer():
    network = Network(2, 1, cell="indrnn", hidden=(4, 3))
    genes = network.unpack(recurrent_genes(network))
    assert {name for name, block in genes.items() if block.any()} == {"layer0.u", "layer1.u"}
    assert genes["layer0.u"].all() and genes["layer1.u"].all()


def test_a_network_without_recurrent_weights_is_refused():
    network = Network(2, 1, cell="feed-forward", hidden=3)
    with pytest.raises(ConfigError, match="recurrent_bound needs recurrent weights"):
        BPTT(recurrent_bound=1.0).fit(network, data(), budget="1gen")
