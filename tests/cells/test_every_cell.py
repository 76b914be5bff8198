"""Every registered cell against its own function on NumPy: outputs to 1e-12, gradients by complex steps, populations by bytes.

Central differences stand in for complex steps where a function of the cell takes no complex numbers.
A new cell is tested without a change here. Sizes, lengths and links are drawn; batches of one sequence and of one step are
among them.
"""

import by_function
import numpy as np
import pytest

from evorrn import Batch
from evorrn.cells.find import cells

QUICK = (33, 5)
"""Numbers of sequences and steps at which chains run by listings, which compile nothing of their own."""
SHAPES = [(1, 1), (1, 13), (3, 1), (5, 9), (70, 4)]
NAMES = sorted(cells())


def check(name, sequences, steps, seed):
    rng = np.random.default_rng([seed, sequences, steps, *name.encode()])
    network, genome = by_function.drawn(name, rng)
    x = rng.standard_normal((sequences, steps, network.inputs))
    lengths = rng.integers(1, steps + 1, sequences)
    links = by_function.links(rng, network.arity, sequences, steps)
    mask = np.arange(steps) < lengths[:, None]
    given = {"lengths": lengths, "links": links}
    wanted = by_function.outputs(network, genome, x, lengths, links)
    got = network.predict(genome, x, **given)
    scale = 1 + abs(wanted).max()
    np.testing.assert_allclose(got[mask], wanted[mask], rtol=0, atol=1e-12 * scale)

    along, upon = rng.standard_normal(network.size), rng.standard_normal(wanted.shape) * mask[:, :, None]
    gradient = network.vjp(genome, x, upon, **given)
    slopes, tolerance = by_function.slopes(network, genome, along, x, lengths, links)
    size = 1 + np.linalg.norm(gradient) * np.linalg.norm(along)
    assert gradient @ along == pytest.approx((upon * slopes).sum(), rel=0, abs=tolerance * size)

    targets = rng.standard_normal(wanted.shape)
    batch = Batch(x, targets, lengths=lengths, links=links)
    genomes = np.stack([genome, 0.5 * genome, genome])
    fitness = network.fitness(genomes, batch)
    error = ((wanted - targets)[mask] ** 2).mean()
    assert fitness[0] == pytest.approx(-error, rel=1e-11)
    assert [network.fitness(one[None], batch)[0] for one in genomes] == fitness.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_every_cell_is_what_its_function_computes_one_step_after_the_other(name):
    check(name, *QUICK, seed=0)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_any_batch_of_every_cell_is_what_its_function_computes(name):
    for seed in range(3):
        for sequences, steps in SHAPES:
            check(name, sequences, steps, seed)
