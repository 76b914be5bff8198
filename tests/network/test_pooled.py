"""Embeddings of symbols and readouts once a sequence: what they compute, their gradients, and what is refused."""

import naive_wiring
import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network
from evorrn.base.errors import ConfigError, DataError, ShapeError

NETWORKS = {
    "embedding": {"embedding": 4},
    "embedding under two directions": {"embedding": 3, "bidirectional": True, "hidden": (4, 3)},
    "last": {"readout": "last"},
    "last of both passes": {"readout": "last", "bidirectional": True, "embedding": 2},
    "mean": {"readout": "mean", "hidden": (3, 4)},
    "max of all layers": {"readout": "max", "hidden": (3, 4), "reads": "all", "bidirectional": True},
    "three samples": {"readout": "sampled:3", "embedding": 5, "cell": "lstm"},
    "symbols as vectors with a one": {},
}
SIZES = {"ragged, several tiles": (75, 13), "one sequence": (1, 9), "one step": (3, 1)}


def made(options, sequences, steps, dtype="float64"):
    rng = np.random.default_rng(steps)
    given = {"cell": "gru", "hidden": 4, "loss": "cross-entropy", **options}
    network = Network(6, 3, dtype=dtype, **given)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    x = rng.integers(0, 6, (sequences, steps))
    targets = rng.integers(0, 3, sequences) if network.pool else rng.integers(0, 3, (sequences, steps))
    genome = (network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)).astype(dtype)
    return network, genome, Batch(x, targets, lengths=lengths)


def pooled(network, genome, x, length):
    """Return the outputs of one sequence in plain NumPy, (T, O) or (O,)."""
    blocks = network.unpack(genome)
    symbols = x[:length]
    vectors = blocks["embedding.W"][symbols] if network.embedding else np.eye(network.inputs)[symbols]
    names = [cell.name for cell in network.cells]
    options = [network.options_of(layer) for layer in range(len(names))]
    series = naive_wiring.layers(blocks, names, network.hidden, options, vectors, network.bidirectional)
    series = series if network.reads == "all" else series[-1:]
    seen = np.concatenate(series, axis=1)
    if network.readout == "last":
        ends = [(one[-1], one[0]) if network.bidirectional else (one[-1],) for one in series]
        halves = [
            np.split(np.arange(one.shape[1]), 2) if network.bidirectional else [slice(None)] for one in series
        ]
        seen = np.concatenate([end[half] for pair, own in zip(ends, halves) for end, half in zip(pair, own)])
    elif network.readout.startswith("sampled"):
        count = int(network.readout.split(":")[1])
        seen = np.concatenate([seen[int(np.ceil(k * length / count)) - 1] for k in range(1, count + 1)])
    elif network.readout != "every":
        seen = getattr(np, network.readout)(seen, axis=0)
    return seen @ blocks["readout.W"].T + blocks["readout.b"]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_outputs_are_those_of_plain_numpy(name, size):
    network, genome, batch = made(NETWORKS[name], *SIZES[size])
    found = network.predict(genome, batch.inputs, lengths=batch.lengths)
    assert found.shape == ((batch.size, 3) if network.pool else (batch.size, batch.steps, 3))
    for row, length in enumerate(batch.lengths):
        wanted = pooled(network, genome, batch.inputs[row], length)
        own = found[row] if network.pool else found[row, :length]
        np.testing.assert_allclose(own, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_the_gradient_is_the_derivative_of_the_loss(name, size):
    network, genome, batch = made(NETWORKS[name], *SIZES[size])
    loss, gradient = network.loss_and_gradient(genome, batch)
    assert loss == pytest.approx(network.loss(genome, batch), rel=1e-12)
    for direction in np.random.default_rng(1).standard_normal((3, network.size)):
        along = direction / np.linalg.norm(direction)
        change = [network.loss(genome + sign * 1e-5 * along, batch) for sign in (1, -1)]
        assert gradient @ along == pytest.approx((change[0] - change[1]) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_in_float32_is_near_that_in_float64(name):
    network, genome, batch = made(NETWORKS[name], 37, 15)
    loss, gradient = network.loss_and_gradient(genome, batch)
    single, *_ = made(NETWORKS[name], 37, 15, "float32")
    near, rounded = single.loss_and_gradient(genome.astype(np.float32), batch)
    assert near == pytest.approx(loss, rel=1e-5) and rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["last of both passes", "mean"])
def test_a_population_has_the_bytes_of_its_members(name):
    network, genome, batch = made(NETWORKS[name], 40, 11, "float32")
    genomes = np.stack([genome * scale for scale in np.float32([1.0, 0.5, 2.0, -1.0, 0.1])])
    assert network.fitness(genomes, batch).tolist() == [
        network.fitness(one[None], batch)[0] for one in genomes
    ]


def test_a_gradient_of_pooled_outputs_goes_back_to_the_genes():
    network, genome, batch = made(NETWORKS["last of both passes"], 7, 11)
    given = np.random.default_rng(2).standard_normal((7, 3))
    gradient = network.vjp(genome, batch.inputs, given, lengths=batch.lengths)
    along = np.random.default_rng(3).standard_normal(network.size)
    ends = [
        (network.predict(genome + s * along, batch.inputs, lengths=batch.lengths) * given).sum()
        for s in (1e-6, -1e-6)
    ]
    assert gradient @ along == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_jacobian_is_the_derivative_of_the_last_or_only_outputs(name):
    """The oracle is the network in plain NumPy."""
    network, genome, batch = made(NETWORKS[name], 3, 5)
    along = np.random.default_rng(4).standard_normal(network.size)
    ahead, behind = (
        np.array([pooled(network, genome + s * along, x, 5) for x in batch.inputs]) for s in (1e-6, -1e-6)
    )
    change = (ahead - behind) / 2e-6
    change = change if network.pool else change[:, -1]
    np.testing.assert_allclose(network.jacobian(genome, batch.inputs) @ along, change, rtol=1e-6, atol=1e-7)


def test_the_network_of_digits_by_rows_has_the_size_of_the_example_of_keras():
    assert Network(1000, 10, cell="lstm", hidden=128, embedding=64, readout="last").size == 164106


def test_float_targets_of_whole_sequences_are_read_once():
    rng = np.random.default_rng(0)
    network = Network(2, 3, hidden=4, readout="mean", dtype="float64")
    batch = Batch(rng.standard_normal((5, 7, 2)), rng.standard_normal((5, 3)), lengths=[7, 3, 1, 5, 2])
    genome = network.init(rng=rng)
    outputs = network.predict(genome, batch.inputs, lengths=batch.lengths)
    truth = batch.targets[np.arange(5), np.array(batch.lengths) - 1]
    assert network.loss(genome, batch) == pytest.approx(((outputs - truth) ** 2).mean())


@pytest.mark.parametrize(
    "strategy", [evorrn.GeneticAlgorithm(population=4), evorrn.BPTT(), evorrn.EchoState()]
)
def test_strategies_train_a_pooled_network_of_symbols(strategy):
    network, _, batch = made(NETWORKS["last of both passes"], 12, 6)
    result = strategy.fit(network, batch, budget="2gen")
    assert np.isfinite(network.loss(result.genome.astype("float64"), batch))


def test_settings_make_the_network_again():
    for options in NETWORKS.values():
        network = Network(6, 3, **{"cell": "gru", "hidden": 4, **options})
        assert Network.from_settings(network.settings()).settings() == network.settings()
    assert not {"embedding", "readout"} & Network(6, 3).settings().keys()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"embedding": -1},
            "network.embedding: expected a whole number of at least 1, or 0 for none, got -1",
        ),
        ({"embedding": 2.5}, "network.embedding: expected a whole number"),
        ({"readout": "lst"}, "network.readout: unknown readout 'lst'; did you mean 'last'"),
        ({"readout": "sampled:0"}, "network.readout: unknown readout"),
        ({"readout": "mean", "feedback": True}, "network.feedback: expected false with readout"),
        ({"embedding": 2, "direct": True}, "network.direct: expected false with embedding"),
        ({"readout": "last", "loss": "ctc"}, "network.readout: expected every with the loss ctc"),
        ({"embedding": 2, "inputs": 0}, "network.inputs: expected the number of symbols"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Network(**{"inputs": 3, "outputs": 2, **options})


def test_wrong_symbols_and_targets_are_said_in_a_sentence():
    network = Network(3, 2, embedding=2, loss="cross-entropy")
    genome = network.init(seed=0)
    with pytest.raises(
        ShapeError, match="expected symbols from 0 to 2, as the network has 3 inputs, got 0 to 3"
    ):
        network.predict(genome, np.array([[0, 3]]))
    with pytest.raises(
        ShapeError, match="batch: expected symbols from 0 to 2, as the network has 3 inputs, got 3"
    ):
        network.loss(genome, Batch([[0, 3]], [[0, 1]]))
    with pytest.raises(ShapeError, match=r"an embedding takes integers \(B, T\)"):
        network.predict(genome, np.zeros((1, 2, 3)))
    with pytest.raises(ShapeError, match=r"an embedding takes inputs of integers \(B, T\)"):
        network.loss(genome, Batch(np.zeros((1, 2, 3)), [[0, 1]]))
    with pytest.raises(DataError, match="expected symbols from 0 on, got -1"):
        Batch([[0, -1]], [[0, 1]])
    mean = Network(3, 2, readout="mean", loss="cross-entropy")
    with pytest.raises(ShapeError, match=r"readout mean gives one output a sequence: .* got 2 scored steps"):
        mean.loss(mean.init(seed=0), Batch([[0, 1]], [[0, 1]]))
