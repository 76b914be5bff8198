"""CTC: its loss and gradient against sums over all paths, differences and PyTorch; decoding; what is refused."""

import itertools
import math

import numpy as np
import pytest

from evorrn import Batch, Network, set_threads
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.kernels import machine
from evorrn.kernels.threads import get_threads
from evorrn.losses import ctc_decode
from evorrn.losses.ctc import CTC

LOSS = CTC()


def labels_of(path):
    """Return the labels that a path stands for: repeated classes merged, blanks dropped."""
    return tuple(c for c, _ in itertools.groupby(path) if c)


def probabilities(logits):
    """Return the probability of every row of labels, the sum over all paths that stand for it."""
    shares = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True).astype(float))
    shares /= shares.sum(axis=1, keepdims=True)
    found = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        labels = labels_of(path)
        found[labels] = found.get(labels, 0.0) + math.prod(shares[t, c] for t, c in enumerate(path))
    return found


def drawn(rng, size, steps, classes, most):
    """Return logits, labels and lengths of sequences; labels may repeat, be none, and be too many for the length."""
    logits = rng.normal(0, 2, (size, steps, classes))
    lengths = rng.integers(1, steps + 1, size)
    targets = [rng.integers(1, classes, rng.integers(0, most + 1)) for _ in range(size)]
    return logits, targets, lengths


def fitting(rng, size, steps, classes, most):
    """Return the same, where every row of labels fits."""
    logits, targets, lengths = drawn(rng, size, steps, classes, most)
    for row, labels in enumerate(targets):
        needed = len(labels) + int((labels[1:] == labels[:-1]).sum())
        lengths[row] = rng.integers(max(1, needed), steps + 1)
    return logits, targets, lengths


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), pytest.param("float32", 1e-5, marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loss_is_that_of_a_sum_over_all_paths(dtype, tolerance, seed):
    """Ragged lengths, one step, no labels, repeated labels and labels without room, in several tiles."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 4))
    logits, targets, lengths = drawn(rng, 2 * machine.lanes(np.dtype(dtype)) + 3, 5, classes, 3)
    losses, gradient = LOSS(logits.astype(dtype), targets, lengths)
    for row, labels in enumerate(targets):
        p = probabilities(logits[row, : lengths[row]]).get(tuple(labels.tolist()), 0.0)
        if p == 0:
            assert losses[row] == np.inf and np.isnan(gradient[row, : lengths[row]]).all()
        else:
            assert losses[row] == pytest.approx(-math.log(p), rel=tolerance, abs=tolerance)
    assert losses.dtype == np.float64 and gradient.dtype == dtype
    assert np.array_equal(LOSS.losses(logits.astype(dtype), targets, lengths), losses)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_gradient_is_that_of_finite_differences_and_its_rows_sum_to_zero(seed):
    rng = np.random.default_rng(seed)
    logits, targets, lengths = fitting(rng, machine.lanes(np.dtype("float64")) + 3, 7, 4, 3)
    _, gradient = LOSS(logits, targets, lengths)
    assert np.abs(gradient.sum(axis=2)).max() < 1e-14
    inside = np.arange(7) < lengths[:, None]
    assert (gradient[~inside] == 0).all() and np.isfinite(gradient).all()
    for t, c in itertools.product(range(7), range(4)):
        step = np.zeros_like(logits)
        step[:, t, c] = 1e-5
        change = LOSS.losses(logits + step, targets, lengths) - LOSS.losses(logits - step, targets, lengths)
        assert gradient[:, t, c] == pytest.approx(np.where(inside[:, t], change / 2e-5, 0), abs=1e-8)


def test_outputs_beyond_a_length_and_rows_beside_it_have_no_effect():
    rng = np.random.default_rng(5)
    logits, targets, lengths = fitting(rng, 21, 9, 5, 4)
    losses, gradient = LOSS(logits, targets, lengths)
    changed = np.where((np.arange(9) < lengths[:, None])[:, :, None], logits, 50.0)
    assert np.array_equal(LOSS.losses(changed, targets, lengths), losses)
    for row in (0, 20):
        one = slice(row, row + 1)
        alone, slope = LOSS(logits[one, : lengths[row]], targets[one], lengths[one])
        assert alone[0] == pytest.approx(losses[row], rel=1e-14)
        assert slope[0] == pytest.approx(gradient[row, : lengths[row]], abs=1e-14)


@pytest.mark.thorough
def test_long_sequences_and_large_logits_keep_their_digits_in_float32():
    """Without logarithms the probability of 400 steps underflows."""
    rng = np.random.default_rng(6)
    logits, targets, lengths = fitting(rng, 5, 400, 30, 80)
    logits *= 4
    exact, slope = LOSS(logits, targets, lengths)
    losses, gradient = LOSS(logits.astype(np.float32), targets, lengths)
    assert losses == pytest.approx(exact, rel=1e-5)
    assert np.abs(gradient - slope).max() < 2e-3 and np.abs(gradient.sum(axis=2)).max() < 1e-5


def test_a_batch_without_any_label_has_only_the_path_of_blanks():
    logits = np.random.default_rng(11).normal(size=(3, 4, 2))
    logs = logits[:, :, 0] - np.log(np.exp(logits).sum(axis=2))
    losses, _ = LOSS(logits, [np.array([], int)] * 3, np.array([4, 1, 3]))
    assert losses == pytest.approx([-logs[0].sum(), -logs[1, 0], -logs[2, :3].sum()])


def test_logits_that_are_not_finite():
    """NaN and plus infinity give NaN; a class of logit minus infinity is impossible."""
    logits, targets, lengths = np.zeros((4, 3, 3)), [np.array([1])] * 4, np.array([3, 3, 3, 2])
    logits[0, 1, 2], logits[1, 0, 0] = np.nan, np.inf
    logits[2, :, 1] = -np.inf
    logits[3, 2] = np.nan
    losses, _ = LOSS(logits, targets, lengths)
    assert np.isnan(losses[:2]).all() and losses[2] == np.inf
    assert losses[3] == pytest.approx(-math.log(3 / 9))
    logits[2, :, 1], logits[2, :, 2] = 0, -np.inf
    assert LOSS.losses(logits, targets, lengths)[2] == pytest.approx(-math.log(6 / 8))


@pytest.mark.thorough
def test_the_bytes_are_the_same_for_any_number_of_threads():
    rng, before = np.random.default_rng(7), get_threads()
    logits, targets, lengths = fitting(rng, 70, 12, 6, 5)
    found = []
    try:
        for threads in (1, 2, 3):
            set_threads(threads)
            found.append(LOSS(logits.astype(np.float32), targets, lengths))
    finally:
        set_threads(before)
    for losses, gradient in found[1:]:
        assert losses.tobytes() == found[0][0].tobytes() and gradient.tobytes() == found[0][1].tobytes()


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_loss_and_gradient_are_those_of_pytorch(dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(8)
    logits, targets, lengths = fitting(rng, 37, 30, 9, 10)
    losses, gradient = LOSS(logits.astype(dtype), targets, lengths)
    x = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.functional.ctc_loss(
        x.log_softmax(2).transpose(0, 1),
        torch.tensor(np.concatenate(targets)),
        torch.tensor(lengths),
        torch.tensor([len(labels) for labels in targets]),
        reduction="none",
    )
    theirs.sum().backward()
    small = 1e-11 if dtype == "float64" else 1e-4
    assert losses == pytest.approx(theirs.detach().numpy(), rel=small)
    assert np.abs(gradient - x.grad.numpy()).max() < small


def batch_of(rng, size=19, steps=8, classes=5, inputs=3):
    """Return a batch of labels of whole sequences, all of which fit."""
    _, targets, lengths = fitting(rng, size, steps, classes, 3)
    rows = np.full((size, 4), 3)  # what stands beyond a number of labels has no effect
    for row, labels in zip(rows, targets):
        row[: len(labels)] = labels
    numbers = [len(labels) for labels in targets]
    return Batch(rng.normal(size=(size, steps, inputs)), rows, lengths=lengths, target_lengths=numbers)


@pytest.mark.parametrize("settings", [{"cell": "gru"}, {"cell": "elman", "feedback": True, "direct": True}])
def test_a_network_has_the_loss_of_its_outputs_and_the_gradient_of_differences(settings):
    rng = np.random.default_rng(9)
    batch = batch_of(rng)
    network = Network(3, 5, hidden=4, loss="ctc", dtype="float64", **settings)
    genome = network.init(seed=1)
    outputs = network.predict(genome, batch.inputs, lengths=batch.lengths)
    losses = LOSS.losses(outputs, batch.rows, batch.lengths)
    loss, gradient = network.loss_and_gradient(genome, batch)
    assert np.array_equal(network.sequence_losses(genome[None], batch)[0], losses)
    for value in (loss, network.loss(genome, batch), -network.fitness(genome[None], batch)[0]):
        assert value == pytest.approx(losses.mean(), rel=1e-14)
    way = rng.normal(size=network.size)
    change = network.loss(genome + 1e-6 * way, batch) - network.loss(genome - 1e-6 * way, batch)
    assert gradient @ way == pytest.approx(change / 2e-6, rel=1e-6)


def test_the_fitness_of_a_genome_is_the_same_in_any_population(monkeypatch):
    """Genomes are taken in chunks that fit memory; a chunk of one gives the same bytes."""
    batch = batch_of(np.random.default_rng(10))
    network = Network(3, 5, cell="lstm", hidden=4, loss="ctc")
    genomes = network.init_many(np.random.default_rng(0), 7)
    together = network.fitness(genomes, batch)
    alone = [network.fitness(genome[None], batch)[0] for genome in genomes]
    assert together.tolist() == alone
    monkeypatch.setattr("evorrn.network.whole.CHUNK", 1)
    assert network.fitness(genomes, batch).tolist() == alone


def test_a_batch_that_the_loss_cannot_take_is_refused_before_training():
    x = np.zeros((2, 3, 1))
    network = Network(1, 3, loss="ctc", hidden=2)
    genome = network.init(seed=0)
    with pytest.raises(DataError, match=r"3 labels of sequence 1 need 4 time steps, .* but it has 3"):
        network.loss(genome, Batch(x, [[1, 2, 1], [1, 1, 2]], target_lengths=[3, 3]))
    with pytest.raises(DataError, match="0 is the blank of ctc, got 0 in sequence 1"):
        network.loss(genome, Batch(x, [[1, 0], [0, 1]], target_lengths=[1, 2]))
    with pytest.raises(ShapeError, match="expected labels below 3, got 3"):
        network.loss(genome, Batch(x, [[1, 3], [1, 1]], target_lengths=[2, 2]))
    with pytest.raises(ShapeError, match="ctc needs labels of whole sequences, with target_lengths"):
        network.loss(genome, Batch(x, [1, 2]))
    with pytest.raises(ShapeError, match="cross-entropy needs a target for each time step"):
        other = Network(1, 3, loss="cross-entropy", hidden=2)
        other.loss(genome, Batch(x, [[1], [2]], target_lengths=[1, 1]))


def best_labels(logits):
    found = probabilities(logits)
    return max(found, key=found.get)


@pytest.mark.parametrize("seed", range(4))
def test_decoding_of_the_best_path_and_of_all_prefixes(seed):
    """One class a step, merged, without blanks; a beam as wide as there are prefixes finds the most probable labels."""
    rng = np.random.default_rng(seed)
    logits, _, lengths = drawn(rng, 6, 4, 3, 0)
    wide = ctc_decode(logits, lengths, beam=100)
    for row, (path, found) in enumerate(zip(ctc_decode(logits, lengths), wide)):
        shown = logits[row, : lengths[row]]
        assert tuple(path.tolist()) == labels_of(shown.argmax(axis=1).tolist())
        assert tuple(found.tolist()) == best_labels(shown)
        assert path.dtype == found.dtype == np.int64


def test_decoding_refuses_wrong_arguments():
    with pytest.raises(ShapeError, match=r"outputs: expected shape \(B, T, O\)"):
        ctc_decode(np.zeros((3, 2)))
    with pytest.raises(ShapeError, match="lengths: expected 2 whole numbers from 0 to 3"):
        ctc_decode(np.zeros((2, 3, 4)), [3, 4])
    with pytest.raises(ConfigError, match="beam: expected a whole number of at least 1, got 0"):
        ctc_decode(np.zeros((2, 3, 4)), beam=0)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("wrong", [[0.0, np.nan, 1.0], [np.inf, 0.0, 0.0], [-np.inf] * 3])
def test_decoding_refuses_steps_without_probabilities(beam, wrong):
    logits = np.tile([9.0, 0.0, 0.0], (2, 4, 1))
    logits[1, 2] = wrong
    with pytest.raises(DataError, match=r"outputs: expected numbers, .* in sequence 1 at time step 2$"):
        ctc_decode(logits, beam=beam)
    ctc_decode(logits, [4, 2], beam=beam)  # what lies beyond a sequence's end is not looked at
    logits[1, 2] = [-np.inf, -np.inf, 0.0]
    assert ctc_decode(logits, beam=beam)[1].tolist() == [2]
    assert [labels.tolist() for labels in ctc_decode(np.zeros((1, 0, 3)), beam=beam)] == [[]]
