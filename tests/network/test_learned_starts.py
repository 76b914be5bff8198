"""First values of states as genes: outputs of a hand-made start, gradients, every form of network, evolution and control."""

import numpy as np
import pytest

from evorrn import Batch, Network

FORMS = [
    {"cell": "elman", "hidden": 4},
    {"cell": "lstm", "hidden": (3, 4), "reads": "all"},
    {"cell": "gru", "hidden": 3, "feedback": True, "biases": False, "direct": True},
    {"cell": "ntm", "hidden": 3, "cell_options": {"N": 4, "M": 2}},
    {"cell": "clockwork", "hidden": 8},
]


def made(form, seed=0):
    network = Network(2, 2, dtype="float64", learn_start=True, **form)
    rng = np.random.default_rng(seed)
    return network, network.init(rng=rng) + 0.2 * rng.uniform(0, 1, network.size), rng


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["cell"])
@pytest.mark.parametrize("sequences", [pytest.param(1, marks=pytest.mark.thorough), 37])
def test_outputs_are_those_of_a_network_that_begins_in_these_states(form, sequences):
    network, genome, rng = made(form)
    plain = Network(2, 2, dtype="float64", **form)
    blocks = network.unpack(genome)
    other = plain.pack({name: blocks[name] for name in plain.blocks})
    first, start = np.array(plain.first_state), 0
    for name, shape in plain.step.states.items():
        count = int(np.prod([plain.sizes[d] for d in shape]))
        layer, _, state = name.partition(".")
        if f"{layer}.start.{state}" in blocks:
            first[start : start + count] += blocks[f"{layer}.start.{state}"].ravel()
        start += count
    x = rng.standard_normal((sequences, 6, 2))
    lengths = rng.integers(1, 7, sequences)
    wanted = plain.predict(other, x, lengths=lengths, state=np.repeat(first[None], sequences, 0))
    np.testing.assert_allclose(network.predict(genome, x, lengths=lengths), wanted, atol=1e-12)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["cell"])
def test_the_gradient_equals_differences_on_a_ragged_batch_of_several_tiles(form):
    network, genome, rng = made(form, 3)
    batch = Batch(
        rng.standard_normal((37, 5, 2)), rng.standard_normal((37, 5, 2)), lengths=rng.integers(1, 6, 37)
    )
    gradient = network.loss_and_gradient(genome, batch)[1]
    push = np.zeros(network.size)
    for name, view in network.unpack(push).items():
        if ".start." in name:
            view[...] = rng.standard_normal(view.shape)
    assert push.any()
    high, low = (network.loss_and_gradient(genome + s * 1e-6 * push, batch)[0] for s in (1, -1))
    assert gradient @ push == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-8)
    fitness = network.fitness(np.stack([genome, network.init(seed=1)]), batch)
    assert fitness[0] == pytest.approx(-network.loss_and_gradient(genome, batch)[0], rel=1e-10)


def test_a_state_is_carried_on_and_a_clock_has_no_gene():
    network, genome, rng = made(FORMS[1])
    x = rng.standard_normal((3, 8, 2))
    whole = network.predict(genome, x)
    first, state = network.predict(genome, x[:, :3], return_state=True)
    rest = network.predict(genome, x[:, 3:], state=state)
    np.testing.assert_allclose(np.concatenate([first, rest], axis=1), whole, atol=1e-12)
    clockwork = made(FORMS[4])[0]
    assert "layer0.start.h" in clockwork.blocks and "layer0.start.t" not in clockwork.blocks
    assert Network.from_settings(network.settings()).blocks == network.blocks
    assert "learn_start" not in Network(1, 1).settings()
