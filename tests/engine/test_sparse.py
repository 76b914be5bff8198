"""Sparse reservoirs run through their entries give what dense ones give, for less work."""

import numpy as np
import pytest

from evorrn.batch import Batch
from evorrn.network import Network


@pytest.mark.parametrize("cell", ["leaky", "lstm"])
def test_sparse_equals_dense(cell):
    rng = np.random.default_rng(0)
    network = Network(1, 2, cell=cell, hidden=150, dtype="float64", direct=True, feedback=True)
    genome = network.init(rng=rng)
    blocks = network.unpack(genome)
    for name in network.cell.recurrent:
        blocks[f"layer0.{name}"][:] *= rng.random((150, 150)) < 0.05
    x = rng.standard_normal((2, 12, 1))
    batch = Batch(x, rng.standard_normal((2, 12, 2)), lengths=np.array([12, 7]))
    assert len(network._programs.sparse_blocks(genome, 2)) == len(network.cell.recurrent)
    assert network.forward_work(batch, genome) < 0.3 * network.forward_work(batch)
    # Forty sequences run as lanes, which knows no sparse kernels.
    many = Batch(np.repeat(x, 20, 0), np.repeat(batch.targets, 20, 0), lengths=np.repeat(batch.lengths, 20))
    assert not network._programs.sparse_blocks(genome, 40)
    assert network.loss(genome, batch) == pytest.approx(network.loss(genome, many), rel=1e-12)
    # Fitness does not depend on the size of the population, so it knows none either.
    assert network.fitness(genome[None], batch)[0] == network.fitness(np.stack([genome] * 3), batch)[2]
    np.testing.assert_allclose(
        network.states(genome, x), network.states(genome, many.inputs)[[0, 20]], rtol=1e-10, atol=1e-12
    )


def test_options_share_programs():
    network = Network(1, 1, cell="leaky", hidden=4)
    twin = network.with_options({"leak": 0.9})
    genome, x = network.init(seed=0), np.ones((1, 3, 1))
    assert not np.array_equal(network.predict(genome, x), twin.predict(genome, x))
    assert twin._programs is network._programs and network.cell_options["leak"] == 0.3
