"""Gradients of batches of any shape: many tiles, ragged lengths, masks, segments, threads.

Sizes are drawn at random, and the oracle is the plain NumPy loop, differentiated by central differences.
"""

import naive
import numpy as np
import pytest

import evorrn
from evorrn.data.batch import Batch
from evorrn.network.network import Network

STEPS = (1e-5, 1e-6, 1e-7)  # the smaller ones for cells with kinks, one of which may lie within a larger step


def lengths_of(rng, sequences, steps):
    """Draw lengths in one of several patterns; sorted ones make tiles whose longest sequences differ most."""
    drawn = rng.integers(1, steps + 1, sequences)
    short = np.minimum(steps, rng.geometric(min(1.0, 4 / steps), sequences))
    patterns = [drawn, np.sort(drawn), np.sort(drawn)[::-1], short, np.full(sequences, steps)]
    return patterns[rng.integers(len(patterns))]


def batch_of(rng, network, sequences, steps):
    lengths = lengths_of(rng, sequences, steps)
    mask = rng.random((sequences, steps)) < 0.7
    mask[np.arange(sequences), lengths - 1] = True
    x = rng.standard_normal((sequences, steps, network.inputs))
    if network.loss_name == "cross-entropy":
        targets = rng.integers(0, network.outputs, (sequences, steps))
    elif network.loss_name == "mse":
        targets = rng.standard_normal((sequences, steps, network.outputs))
    else:
        targets = rng.random((sequences, steps, network.outputs))
    return Batch(x, targets, mask=mask, lengths=lengths)


def naive_loss(network, genome, batch, teacher):
    given = {} if teacher is None else {"teacher": teacher}
    outputs = naive.run_for_loss(network, genome, batch, **given)
    total, count = naive.losses(outputs, batch.targets, batch.scored, network.loss_name)
    return total.sum() / count.sum()


def check(network, sequences, steps, rng, monkeypatch):
    """Compare the loss and its derivative along a random direction with the oracle's."""
    batch = batch_of(rng, network, sequences, steps)
    genome, along = network.init(rng=rng), rng.standard_normal(network.size)
    along /= np.linalg.norm(along)
    teacher = None
    if network.feedback and rng.integers(2):
        teacher = rng.standard_normal((sequences, steps, network.outputs))
        teacher[rng.random(teacher.shape) < 0.3] = np.nan
    results = []
    for threads, tape in ((1, None), (2, 1), (3, int(rng.integers(1, 2_000_000)))):
        with monkeypatch.context() as patched:
            if tape is not None:
                patched.setattr("evorrn.engine.lanes.gradient.TAPE_BYTES", tape)
            evorrn.set_threads(threads)
            try:
                results.append(network.loss_and_gradient(genome, batch, teacher=teacher))
            finally:
                evorrn.set_threads(2)
    loss, gradient = results[0]
    assert loss == pytest.approx(naive_loss(network, genome, batch, teacher), rel=1e-10)
    tolerance = 1e-6 * np.linalg.norm(gradient) + 1e-9
    errors = []
    for step in STEPS:
        after, before = (
            naive_loss(network, genome + sign * step * along, batch, teacher) for sign in (1, -1)
        )
        errors.append(abs(gradient @ along - (after - before) / (2 * step)))
        if errors[-1] <= tolerance:
            break
    assert min(errors) <= tolerance
    for other_loss, other in results[1:]:
        assert other_loss == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(other, gradient, rtol=1e-9, atol=1e-12 * np.abs(gradient).max())


def test_gradient_of_ragged_sequences_in_several_tiles(monkeypatch):
    for draw in range(30):
        rng = np.random.default_rng(draw)
        network = Network(2, 1, cell="elman", hidden=int(rng.integers(1, 12)), dtype="float64")
        check(network, int(rng.integers(1, 201)), int(rng.integers(1, 301)), rng, monkeypatch)


def test_gradient_where_every_tile_has_another_longest_sequence():
    network = Network(2, 1, cell="elman", hidden=8, dtype="float64")
    rng = np.random.default_rng(0)
    lengths = np.repeat([1, 2, 5, 17, 40, 33, 3], 16)
    x = rng.standard_normal((len(lengths), 40, 2))
    batch = Batch(x, rng.standard_normal((len(lengths), 40, 1)), lengths=lengths)
    genome = network.init(seed=0)
    # The gradient of a batch is the mean of its sequences' gradients, weighted by their steps.
    parts = [network.loss_and_gradient(genome, batch.take([b]))[1] for b in range(batch.size)]
    wanted = np.average(parts, axis=0, weights=lengths)
    np.testing.assert_allclose(network.loss_and_gradient(genome, batch)[1], wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.thorough
@pytest.mark.parametrize("cell", sorted(naive.CELLS))
def test_gradient_of_every_cell_on_batches_of_any_shape(cell, monkeypatch):
    for draw in range(6):
        rng = np.random.default_rng([draw, len(cell)])
        loss = ("mse", "cross-entropy", "binary-cross-entropy")[draw % 3]
        network = Network(
            int(rng.integers(1, 5)),
            int(rng.integers(2, 5)),
            cell=cell,
            hidden=tuple(int(h) for h in rng.integers(1, 20, size=1 + draw % 2)),
            loss=loss,
            direct=bool(draw % 4 == 1),
            feedback=bool(draw % 4 == 2),
            dtype="float64",
        )
        check(network, int(rng.integers(1, 201)), int(rng.integers(1, 151)), rng, monkeypatch)
