"""Layers in both directions, and layers of different cells: what they compute, their gradients, and what is refused."""

import naive
import naive_wiring
import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.base.errors import ConfigError
from evorrn.kernels import threads

NETWORKS = {
    "bidirectional gru": {"cell": "gru", "hidden": 5, "bidirectional": True},
    "two bidirectional layers": {"cell": "lstm", "hidden": (4, 3), "bidirectional": True},
    "three read together": {"cell": "elman", "hidden": (3, 2, 4), "bidirectional": True, "reads": "all"},
    "without biases": {"cell": "indrnn", "hidden": (4, 4), "bidirectional": True, "biases": False},
    "bidirectional layers of two cells": {"cell": ["lstm", "leaky"], "hidden": (3, 5), "bidirectional": True},
    "layers of two cells": {"cell": ["gru", "indrnn"], "hidden": (3, 5), "reads": "all"},
    "layers with options of their own": {
        "cell": ["leaky", "leaky"],
        "hidden": (3, 4),
        "cell_options": [{"leak": 0.3}, {"leak": 0.8, "activation": "sigmoid"}],
    },
}
CHOSEN = [
    name if NETWORKS[name].get("bidirectional") else pytest.param(name, marks=pytest.mark.thorough)
    for name in NETWORKS
]
"""Layers in one direction are also taken in the tests of stacks."""
SIZES = {"ragged, several tiles": (75, 13), "one sequence": (1, 9), "one step": (3, 1), "ragged": (7, 21)}


def made(options, sequences, steps, dtype="float64", seed=0, loss="mse"):
    """Return a network, a genome and a ragged batch with unscored steps."""
    rng = np.random.default_rng(seed)
    network = Network(3, 2, dtype=dtype, loss=loss, **options)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    inputs = rng.standard_normal((sequences, steps, 3))
    shape = (sequences, steps)
    targets = rng.standard_normal((*shape, 2)) if loss == "mse" else rng.integers(0, 2, shape)
    mask = (rng.random(shape) < 0.7) | (np.arange(steps) == lengths[:, None] - 1)
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    return network, genome.astype(network.dtype), Batch(inputs, targets, mask, lengths)


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("size", SIZES)
def test_outputs_and_losses_are_those_of_plain_numpy(name, size):
    network, genome, batch = made(NETWORKS[name], *SIZES[size])
    outputs, seen = naive_wiring.run(network, genome, batch.inputs, batch.lengths)
    found = network.predict(genome, batch.inputs, lengths=batch.lengths)
    np.testing.assert_allclose(found, outputs, rtol=1e-12, atol=1e-13)
    read = network.readout_states(genome, batch.inputs, lengths=batch.lengths)
    np.testing.assert_allclose(read, seen, rtol=1e-12, atol=1e-13)
    sums, entries = naive.losses(outputs, batch.targets, batch.scored, "mse")
    assert network.loss(genome, batch) == pytest.approx(sums.sum() / entries.sum(), rel=1e-12)


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("size", SIZES)
def test_the_gradient_is_the_derivative_of_the_loss(name, size):
    network, genome, batch = made(NETWORKS[name], *SIZES[size], loss="cross-entropy")
    loss, gradient = network.loss_and_gradient(genome, batch)
    assert loss == pytest.approx(network.loss(genome, batch), rel=1e-12)
    for direction in np.random.default_rng(1).standard_normal((3, network.size)):
        along = direction / np.linalg.norm(direction)
        change = [network.loss(genome + sign * 1e-5 * along, batch) for sign in (1, -1)]
        assert gradient @ along == pytest.approx((change[0] - change[1]) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["two bidirectional layers", "bidirectional layers of two cells"])
def test_a_gradient_of_the_outputs_goes_back_to_the_genes(name):
    network, genome, batch = made(NETWORKS[name], 7, 11)
    given = np.random.default_rng(2).standard_normal(batch.targets.shape)
    gradient = network.vjp(genome, batch.inputs, given, lengths=batch.lengths)
    along = np.random.default_rng(3).standard_normal(network.size)
    inside = np.arange(batch.steps) < batch.lengths[:, None]

    def product(weights):
        outputs = network.predict(weights, batch.inputs, lengths=batch.lengths)
        return (outputs * given)[inside].sum()

    change = (product(genome + 1e-6 * along) - product(genome - 1e-6 * along)) / 2e-6
    assert gradient @ along == pytest.approx(change, rel=1e-6)


@pytest.mark.parametrize(
    "limit", ["evorrn.engine.passes.KEPT_BYTES", "evorrn.engine.lanes.gradient.TAPE_BYTES"]
)
def test_a_tape_that_is_too_large_is_computed_again(limit, monkeypatch):
    network, genome, batch = made(NETWORKS["two bidirectional layers"], 5, 53)
    loss, gradient = network.loss_and_gradient(genome, batch)
    monkeypatch.setattr(limit, 1)
    again, same = network.loss_and_gradient(genome, batch)
    assert again == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(same, gradient, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_in_float32_is_near_that_in_float64(name):
    network, genome, batch = made(NETWORKS[name], 37, 15)
    loss, gradient = network.loss_and_gradient(genome, batch)
    single, *_ = made(NETWORKS[name], 37, 15, "float32")
    near, rounded = single.loss_and_gradient(genome.astype(np.float32), batch)
    assert near == pytest.approx(loss, rel=1e-5) and rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_population_has_the_bytes_of_its_members(dtype, monkeypatch):
    network, genome, batch = made(NETWORKS["two bidirectional layers"], 40, 15, dtype)
    genomes = np.stack([genome * scale for scale in (1.0, 0.5, 2.0, -1.0, 0.1, 3.0)]).astype(dtype)
    alone = [network.fitness(one[None], batch)[0] for one in genomes]
    monkeypatch.setattr("evorrn.engine.wiring.CHUNK", 1)  # several chunks
    assert network.fitness(genomes, batch).tolist() == alone
    series = network.population_states(genomes, batch.inputs, lengths=batch.lengths)
    for one, states in zip(genomes, series):
        single = network.readout_states(one, batch.inputs, lengths=batch.lengths)
        assert states.tobytes() == single.tobytes()


def test_any_number_of_threads_gives_the_same_bytes():
    network, genome, batch = made(NETWORKS["two bidirectional layers"], 75, 15, "float32")
    before, found = threads.get_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_threads(count)
            loss, gradient = network.loss_and_gradient(genome, batch)
            found.append((loss, gradient.tobytes(), network.fitness(genome[None], batch).tobytes()))
    finally:
        threads.set_threads(before)
    assert found[0] == found[1] == found[2]


def test_values_beyond_a_length_have_no_effect():
    network, genome, batch = made(NETWORKS["two bidirectional layers"], 9, 12)
    x = np.where(np.arange(12)[:, None] < batch.lengths[:, None, None], batch.inputs, np.nan)
    filled = Batch(x, batch.targets, batch.scored, batch.lengths)
    assert network.loss(genome, filled) == network.loss(genome, batch)
    assert (network.loss_and_gradient(genome, filled)[1] == network.loss_and_gradient(genome, batch)[1]).all()


def test_reversed_inputs_swap_the_halves_where_both_passes_have_the_same_weights():
    network, genome, batch = made(NETWORKS["bidirectional gru"], 4, 10)
    blocks = network.unpack(genome)
    tied = {
        name: blocks[name.replace(".backward.", ".forward.")] if ".backward." in name else block
        for name, block in blocks.items()
    }
    genome = network.pack(tied)
    there = network.readout_states(genome, batch.inputs)
    back = network.readout_states(genome, batch.inputs[:, ::-1])[:, ::-1]
    assert (there[..., :5] == back[..., 5:]).all() and (there[..., 5:] == back[..., :5]).all()


def test_learned_first_states_of_both_passes_have_gradients():
    network, genome, batch = made(
        {"cell": "gru", "hidden": 3, "bidirectional": True, "learn_start": True}, 6, 8
    )
    assert {"layer0.forward.start.h", "layer0.backward.start.h"} <= network.blocks.keys()
    gradient = network.loss_and_gradient(genome, batch)[1]
    for index in range(network.size):
        step = np.zeros(network.size)
        step[index] = 1e-6
        change = network.loss(genome + step, batch) - network.loss(genome - step, batch)
        assert gradient[index] == pytest.approx(change / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.thorough
def test_ctc_trains_a_bidirectional_network():
    rng = np.random.default_rng(0)
    network = Network(3, 4, loss="ctc", dtype="float64", cell="gru", hidden=4, bidirectional=True)
    genome = network.init(rng=rng)
    batch = Batch(rng.standard_normal((5, 12, 3)), rng.integers(1, 4, (5, 3)), target_lengths=[3, 1, 2, 0, 3])
    loss, gradient = network.loss_and_gradient(genome, batch)
    along = rng.standard_normal(network.size)
    change = network.loss(genome + 1e-6 * along, batch) - network.loss(genome - 1e-6 * along, batch)
    assert loss == pytest.approx(network.loss(genome, batch))
    assert gradient @ along == pytest.approx(change / 2e-6, rel=1e-5)


def test_settings_make_the_network_again():
    for options in NETWORKS.values():
        network = Network(3, 2, **options)
        again = Network.from_settings(network.settings())
        assert (again.settings(), again.blocks) == (network.settings(), network.blocks)
    plain = Network(3, 2, cell=["gru", "gru"], hidden=(3, 4)).settings()
    assert (
        plain == Network(3, 2, cell="gru", hidden=(3, 4)).settings()
    )  # ids of runs follow from the settings
    assert "bidirectional" not in plain
    assert repr(Network(3, 2, cell=["gru", "elman"], hidden=(2, 3))).startswith(
        "Network(3 -> gru+elman (2, 3) -> 2"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"cell": ["gru", "lstm"], "hidden": 4},
            "network.cell: .* one for each of 1, as many as hidden has, got 2",
        ),
        (
            {"cell": ["gru"], "hidden": (4, 4)},
            "network.cell: .* one for each of 2, as many as hidden has, got 1",
        ),
        (
            {"hidden": (4, 4), "cell_options": [{}]},
            "network.cell_options: .* each of 2, as many as hidden has, got 1",
        ),
        ({"cell": ["gru", "lstn"], "hidden": (4, 4)}, "unknown cell 'lstn'; did you mean 'lstm'"),
        (
            {"bidirectional": True, "feedback": True},
            "network.feedback: expected false with bidirectional",
        ),
        ({"bidirectional": True, "direct": True}, "network.direct: expected false"),
        ({"bidirectional": True, "cell": "jordan"}, "network.cell: jordan sees the previous output"),
        ({"bidirectional": 1}, "network.bidirectional: expected true or false, got 1"),
    ],
)
def test_what_cannot_be_wired_is_said_in_a_sentence(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Network(3, 2, **options)


def test_what_needs_a_run_that_goes_on_refuses_a_network_that_runs_backward():
    network, genome, batch = made(NETWORKS["bidirectional gru"], 3, 5)
    x, state = batch.inputs, np.zeros((3, network.state_size))
    calls = [
        lambda: network.predict(genome, x, state),
        lambda: network.predict(genome, x, return_state=True),
        lambda: network.predict(genome, x, free_from=np.array([2, 2, 2])),
        lambda: network.loss_and_gradient(genome, batch, state),
        lambda: network.influence(genome, x),
        lambda: network.step,
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="make it without bidirectional=True"):
            call()


@pytest.mark.parametrize("readout", ["every", "last", "mean"])
def test_a_linear_first_layer_and_a_readout_of_all_layers_serve_as_direct_connections(readout):
    options = {"cell_options": [{"activation": "identity"}, {}], "reads": "all", "readout": readout}
    network = Network(
        3, 2, cell=["feed-forward", "gru"], hidden=(3, 4), bidirectional=True, dtype="float64", **options
    )
    blocks, x = network.unpack(network.init(seed=1)), np.random.default_rng(0).standard_normal((5, 6, 3))
    blocks = {name: block.copy() for name, block in blocks.items()}
    for way in ("forward", "backward"):
        blocks[f"layer0.{way}.W_x"], blocks[f"layer0.{way}.b"] = np.eye(3), np.zeros(3)
    with_inputs = network.predict(network.pack(blocks), x)
    direct = blocks["readout.W"][:, :3] + 0.0
    blocks["readout.W"][:, :3] = 0
    if readout != "last":
        seen = x @ direct.T if readout == "every" else x.mean(axis=1) @ direct.T
    else:
        seen = x[:, -1] @ direct.T
    np.testing.assert_allclose(with_inputs, network.predict(network.pack(blocks), x) + seen, atol=1e-12)


@pytest.mark.parametrize("form", [{"bidirectional": True}, {"readout": "mean"}, {"embedding": 2}])
def test_refusals_of_connections_say_what_serves(form):
    for flag, words in (("direct", "feed-forward"), ("feedback", "encoder_decoder")):
        with pytest.raises(ConfigError, match=f"network.{flag}: expected false with .*{words}"):
            Network(3, 2, **form, **{flag: True})
