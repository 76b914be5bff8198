"""Gradients of outputs, and losses on whole sequences, of networks that see symbols as vectors that are learned."""

import weakref

import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.engine import passes

KEPT = []


@pytest.fixture(autouse=True)
def gone_is_nan(monkeypatch):
    """Tapes are not a number from the moment at which nothing holds them any more."""

    def room(shape, dtype):
        memory = np.zeros(shape, dtype)
        KEPT.append(memory)
        lent = memory[...]
        weakref.finalize(lent, memory.fill, np.nan)
        return lent

    monkeypatch.setattr(passes, "room", room)
    yield
    KEPT.clear()


def pair(cell, hidden, rng):
    """Return a network of symbols and one that is given their vectors, with genomes of the same weights."""
    options = {"cell": cell, "hidden": hidden, "dtype": "float64"}
    symbols, vectors = Network(5, 2, embedding=3, **options), Network(3, 2, **options)
    genome = symbols.init(rng=rng) + 0.1 * rng.standard_normal(symbols.size)
    blocks = symbols.unpack(genome)
    table = blocks["embedding.W"]
    return symbols, genome, vectors, vectors.pack({name: blocks[name] for name in vectors.blocks}), table


@pytest.mark.parametrize("sequences, steps, hidden", [(1, 5, 3), (2, 1, 1), (9, 60, 16), (40, 7, (4, 5))])
def test_a_gradient_of_outputs_is_that_of_a_network_which_is_given_the_vectors(sequences, steps, hidden):
    rng = np.random.default_rng(steps)
    symbols, genome, vectors, weights, table = pair("gru", hidden, rng)
    x, upon = rng.integers(0, 5, (sequences, steps)), rng.standard_normal((sequences, steps, 2))
    lengths = rng.integers(1, steps + 1, sequences)
    wanted = vectors.unpack(vectors.vjp(weights, table[x], upon, lengths=lengths))
    found = symbols.unpack(symbols.vjp(genome, x, upon, lengths=lengths))
    for name, gradient in wanted.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-9, atol=1e-11)
    inside = (np.arange(steps) < lengths[:, None])[:, :, None]
    along = rng.standard_normal(table.shape)
    ahead, behind = (vectors.predict(weights, (table + s * along)[x], lengths=lengths) for s in (1e-6, -1e-6))
    change = ((ahead - behind) * upon * inside).sum() / 2e-6
    assert (found["embedding.W"] * along).sum() == pytest.approx(change, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("sequences, steps, hidden", [(1, 6, 2), (7, 30, 12)])
def test_the_gradient_of_labels_without_times_is_the_derivative_of_their_loss(sequences, steps, hidden):
    rng = np.random.default_rng(sequences)
    network = Network(4, 3, cell="gru", hidden=hidden, embedding=2, loss="ctc", dtype="float64")
    labels = rng.integers(1, 3, (sequences, 2))
    batch = Batch(rng.integers(0, 4, (sequences, steps)), labels, target_lengths=np.full(sequences, 2))
    genome, along = network.init(seed=1), rng.standard_normal(network.size)
    change = (network.loss(genome + 1e-6 * along, batch) - network.loss(genome - 1e-6 * along, batch)) / 2e-6
    assert network.loss_and_gradient(genome, batch)[1] @ along == pytest.approx(change, rel=1e-5, abs=1e-6)
