"""Random networks on random batches against plain NumPy, which shares no code with the package.

Everything is drawn from the seed in a test's name: cell, layers, sizes, loss, dtype, direct and feedback connections, biases,
what the readout sees, what goes back; and for several batches their size, ragged lengths, mask, first state, teacher, closed
loop, threads and the memory of the tape. So each seed tries shapes that nobody thought of.
"""

import naive
import naive_classical
import naive_timed
import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network

BATCHES = 4
NAMED = (*naive_classical.CELLS, *naive_timed.CELLS)
SMOOTH = ("tanh", "sigmoid", "softplus")


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def draw_network(rng, cell=None):
    """Return a random network, of any cell or of the one that is named, and a genome whose states neither die out nor explode."""
    cell = cell or pick(rng, *sorted(naive.CELLS))
    loss = pick(rng, "mse", "cross-entropy", "binary-cross-entropy")
    layers, outputs = int(pick(rng, 1, 1, 2, 3)), int(rng.integers(1, 5))
    largest = pick(rng, 3, 9, 20, 70) if layers == 1 else 12
    feedback = bool(rng.integers(2))
    dtype = pick(rng, "float64", "float64", "float32")
    choices = ("output",) if loss == "mse" else ("probability", "output")
    options = {"activation": pick(rng, *SMOOTH)} if cell in naive.ACTIVATED else {}
    options |= {"leak": float(rng.random())} if cell == "leaky" else {}
    options |= {"decay": float(rng.random() * 0.9)} if cell == "jordan" else {}
    options |= naive_timed.draw_options(rng, cell) if cell in naive_timed.CELLS else {}
    network = Network(
        int(rng.integers(0 if feedback else 1, 6)),
        outputs,
        cell=cell,
        hidden=tuple(int(size) for size in rng.integers(1, largest + 1, layers)),
        cell_options=options,
        loss=loss,
        direct=bool(rng.integers(2)),
        feedback=feedback,
        dtype=dtype,
        biases=bool(rng.integers(4)),
        reads=pick(rng, "last", "all"),
        fed_back=pick(rng, *choices, *(["bit"] if loss != "mse" and dtype == "float64" else [])),
    )
    genome = network.init(rng=rng) * rng.uniform(0.3, 0.9) + 0.1 * rng.standard_normal(network.size)
    return network, genome.astype(network.dtype)


def draw_batch(rng, network):
    """Return a ragged batch with a mask; sometimes of one sequence, or of one step."""
    sequences = int(pick(rng, 1, rng.integers(1, 6), rng.integers(1, 201)))
    steps = int(pick(rng, 1, rng.integers(1, 20), rng.integers(1, max(2, 3000 // sequences))))
    steps = min(steps, 300)
    lengths = rng.integers(1, steps + 1, sequences) if rng.integers(3) else np.full(sequences, steps)
    mask = rng.random((sequences, steps)) < rng.uniform(0.3, 1)
    mask[np.arange(sequences), lengths - 1] |= rng.random(sequences) < 0.8
    mask[0, lengths[0] - 1] = True
    shape = (sequences, steps, network.outputs)
    targets = {
        "mse": rng.standard_normal(shape),
        "cross-entropy": rng.integers(0, network.outputs, shape[:2]),
        "binary-cross-entropy": rng.random(shape),
    }[network.loss_name]
    x = rng.standard_normal((sequences, steps, network.inputs))
    x[np.arange(steps) >= lengths[:, None]] = np.nan
    return Batch(x, targets, mask=mask, lengths=lengths)


def draw_conditions(rng, network, batch):
    """Return a random first state, teacher and closed loop, or none of them."""
    given = {}
    if rng.integers(2):
        given["state"] = 0.5 * rng.standard_normal((batch.size, network.state_size))
    if network.step.feeds_back and rng.integers(2):
        given["teacher"] = rng.random((batch.size, batch.steps, network.outputs))
        given["teacher"][rng.random(given["teacher"].shape) < 0.2] = np.nan
    if network.outputs <= network.inputs and rng.integers(2):
        given["free_from"] = rng.integers(0, batch.steps + 1, batch.size)
    return given


def by_hand(network, genome, batch, given):
    """Return outputs, states of the last layer and last states in plain NumPy."""
    given = dict(given)
    ends = np.zeros((batch.size, network.state_size))
    outputs, hidden = naive.run_network(
        network, genome.astype(float), batch, begin=given.pop("state", None), ends=ends, **given
    )
    return outputs, hidden, ends


def hand_loss(network, genome, batch, given):
    outputs = by_hand(network, genome, batch, given)[0]
    total, count = naive.losses(outputs, batch.targets, batch.scored, network.loss_name)
    return total.sum() / count.sum()


def check_forward(rng, network, genome, batch, tolerance):
    """Compare outputs, states and losses; the bits do not depend on the number of threads."""
    given = draw_conditions(rng, network, batch)
    wanted = by_hand(network, genome, batch, given)
    got = network.predict(genome, batch.inputs, lengths=batch.lengths, return_state=True, **given)
    np.testing.assert_allclose(got[0], wanted[0], **tolerance)
    np.testing.assert_allclose(got[1], wanted[2], **tolerance)
    evorrn.set_threads(int(rng.integers(1, 5)))
    again = network.predict(genome, batch.inputs, lengths=batch.lengths, return_state=True, **given)
    assert again[0].tobytes() == got[0].tobytes() and again[1].tobytes() == got[1].tobytes()
    rest = {name: value for name, value in given.items() if name != "free_from"}
    seen = network.states(genome, batch.inputs, lengths=batch.lengths, **rest)
    np.testing.assert_allclose(seen, by_hand(network, genome, batch, rest)[1], **tolerance)
    genomes = np.stack([genome, 0.5 * genome, genome])
    taught = {"teacher": network.warm_up(batch)} if network.warm_up(batch) is not None else {}
    free = {name: value for name, value in given.items() if name == "free_from"}
    losses = [hand_loss(network, one, batch, {**taught, **free}) for one in genomes]
    np.testing.assert_allclose(-network.fitness(genomes, batch, **free), losses, **tolerance)


def check_gradient(rng, network, genome, batch, tolerance, monkeypatch):
    """Compare the derivative of the loss along a random direction, in segments of any length."""
    given = draw_conditions(rng, network, batch)
    given.pop("free_from", None)
    with monkeypatch.context() as patched:
        patched.setattr("evorrn.engine.lanes.gradient.TAPE_BYTES", int(pick(rng, 1, 50_000, 2**28)))
        loss, gradient = network.loss_and_gradient(genome, batch, **given)
    if "teacher" not in given and network.warm_up(batch) is not None:
        given["teacher"] = network.warm_up(batch)
    assert loss == pytest.approx(
        hand_loss(network, genome, batch, given), rel=tolerance["rtol"], abs=tolerance["atol"]
    )
    if network.fed_back == "bit" and network.step.feeds_back:
        return  # the loss jumps where a bit changes, so differences say nothing about the gradient
    along = rng.standard_normal(network.size)
    along /= np.linalg.norm(along)
    errors = []
    for step in (1e-5, 1e-6, 1e-7):  # a kink of relu may lie within a larger step
        ahead, behind = (
            hand_loss(network, genome.astype(float) + sign * step * along, batch, given) for sign in (1, -1)
        )
        errors.append(abs(gradient.astype(float) @ along - (ahead - behind) / (2 * step)))
    scale = np.linalg.norm(gradient)
    assert min(errors) <= (1e-6 if network.dtype == "float64" else 2e-3) * scale + 1e-8 + tolerance["atol"]


def check_seed(seed, monkeypatch, cell=None, batches=BATCHES):
    rng = np.random.default_rng([2026, seed])
    network, genome = draw_network(rng, cell)
    double = network.dtype == "float64"
    tolerance = {"rtol": 1e-8, "atol": 1e-9} if double else {"rtol": 2e-3, "atol": 2e-4}
    threads = evorrn.kernels.threads.get_threads()
    try:
        for _ in range(batches):
            batch = draw_batch(rng, network)
            check_forward(rng, network, genome, batch, tolerance)
            check_gradient(rng, network, genome, batch, tolerance, monkeypatch)
    finally:
        evorrn.set_threads(threads)


@pytest.mark.parametrize("seed", range(3))
def test_a_random_network_agrees_with_plain_numpy(seed, monkeypatch):
    check_seed(seed, monkeypatch)


@pytest.mark.thorough
@pytest.mark.parametrize(("seed", "name"), list(enumerate(NAMED, start=100)))
def test_a_network_of_each_named_cell_agrees_with_plain_numpy(seed, name, monkeypatch):
    check_seed(seed, monkeypatch, name, batches=1)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(200, 205))
@pytest.mark.parametrize("name", NAMED)
def test_many_networks_of_each_named_cell_agree_with_plain_numpy(name, seed, monkeypatch):
    check_seed(seed, monkeypatch, name)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3, 18))
def test_many_random_networks_agree_with_plain_numpy(seed, monkeypatch):
    check_seed(seed, monkeypatch)
