"""Sparse matrices give the results of dense ones with less work."""

import numpy as np
import pytest

from evorrn.data.batch import Batch
from evorrn.engine.rows.sparse import add_sparse, compress, plain_slices
from evorrn.kernels import machine
from evorrn.network.network import Network


def add_sparse_plainly(out, compressed, vector):
    """The slices by plain loops, the rest by NumPy."""
    depths, columns, values, rows, starts, rest_columns, rest_values = compressed
    plain_slices(out, depths, columns, values, vector)
    for n, row in enumerate(rows):
        its = slice(starts[n], starts[n + 1])
        out[row] += rest_values[its] @ vector[rest_columns[its]]


@pytest.mark.parametrize("sequences", [1, 2, 20])
@pytest.mark.parametrize("cell", ["leaky", pytest.param("lstm", marks=pytest.mark.thorough)])
def test_sparse_equals_dense(cell, sequences):
    rng = np.random.default_rng(0)
    network = Network(1, 2, cell=cell, hidden=150, dtype="float64", direct=True, feedback=True)
    genome = network.init(rng=rng)
    blocks = network.unpack(genome)
    for name in network.cell.recurrent:
        blocks[f"layer0.{name}"][:] *= rng.random((150, 150)) < 0.05
    # The same network without a zero: entries so small that they change no sum.
    dense = np.where(genome == 0, 1e-40, genome)
    x, lengths = rng.standard_normal((sequences, 12, 1)), np.full(sequences, 12)
    lengths[1:] -= np.arange(sequences - 1) % 5
    batch = Batch(x, rng.standard_normal((sequences, 12, 2)), lengths=lengths)
    assert len(network._programs.rows.sparse_blocks(genome, sequences)) == len(network.cell.recurrent)
    assert not network._programs.rows.sparse_blocks(dense, sequences)
    assert network.forward_work(batch, genome) < 0.3 * network.forward_work(batch, dense)
    assert network.loss(genome, batch) == pytest.approx(network.loss(dense, batch), rel=1e-12)
    # Fitness does not depend on the size of the population, so it knows none either.
    assert network.fitness(genome[None], batch)[0] == network.fitness(np.stack([genome] * 3), batch)[2]
    np.testing.assert_allclose(network.states(genome, x), network.states(dense, x), rtol=1e-10, atol=1e-12)


def test_work_of_a_sparse_network_depends_on_neither_layout_nor_machine():
    network = Network(1, 1, cell="leaky", hidden=100)
    genome = network.init(seed=0)
    network.unpack(genome)["layer0.W_h"][:, 3:] = 0  # three entries are left in each of 100 rows
    for sequences in (1, 3, 40):
        batch = Batch(np.zeros((sequences, 5, 1)), np.zeros((sequences, 5, 1)))
        saved = network.forward_work(batch) - network.forward_work(batch, genome)
        assert saved == 100 * 97 * sequences * 5


def test_options_share_programs():
    network = Network(1, 1, cell="leaky", hidden=4)
    twin = network.with_options({"leak": 0.9})
    genome, x = network.init(seed=0), np.ones((1, 3, 1))
    assert not np.array_equal(network.predict(genome, x), twin.predict(genome, x))
    assert twin._programs is network._programs and network.cell_options["leak"] == 0.3


@pytest.mark.parametrize("dtype,tolerance", [(np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("rows,columns,density", [(5, 9, 0.5), (16, 16, 0.3), (67, 40, 0.1), (64, 30, 0.0)])
def test_compressed_product(rows, columns, density, dtype, tolerance):
    rng = np.random.default_rng(rows)
    matrix = rng.standard_normal((rows, columns)) * (rng.random((rows, columns)) < density)
    if rows == 67:
        matrix[20] = 0  # a slice without entries of its own, whose other rows have some
    vector, start = rng.standard_normal(columns).astype(dtype), rng.standard_normal(rows).astype(dtype)
    compressed = compress(matrix.astype(dtype), machine.lanes(dtype))
    for add in (add_sparse, add_sparse_plainly):
        out = start.copy()
        add(out, compressed, vector)
        np.testing.assert_allclose(out, start + matrix @ vector, rtol=0, atol=tolerance * columns)


def test_values_that_are_not_finite_spread_only_along_entries():
    matrix = np.eye(24)
    matrix[3, 0] = 1.0
    out = np.zeros(24)
    vector = np.ones(24)
    vector[0] = np.nan
    add_sparse(out, compress(matrix, machine.lanes(np.float64)), vector)
    assert np.flatnonzero(np.isnan(out)).tolist() == [0, 3]
