"""Loss and gradient from a given first state, and the state after the last step."""

import naive
import numpy as np
import pytest

from evorrn.base.errors import ShapeError
from evorrn.data.batch import Batch
from evorrn.network.network import Network

NETWORKS = {
    "elman, several tiles": ({"cell": "elman", "hidden": 5}, 75),
    "lstm of two layers": ({"cell": "lstm", "hidden": (4, 3)}, 7),
    "one sequence": ({"cell": "gru", "hidden": 6}, 1),
    "feedback": ({"cell": "elman", "hidden": 4, "feedback": True}, 5),
    "a cell that sees the output": ({"cell": "jordan", "hidden": 4}, 9),
    "feedback of probabilities": (
        {"cell": "gru", "hidden": 4, "feedback": True, "loss": "binary-cross-entropy"},
        5,
    ),
    "past values": ({"cell": "narx", "hidden": 4}, 3),
    "arrays": ({"cell": "ntm", "hidden": 5}, 3),
}


def made(options, sequences, steps=17, seed=0):
    rng = np.random.default_rng(seed)
    network = Network(2, 2, dtype="float64", **options)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    targets = rng.random((sequences, steps, 2))
    batch = Batch(rng.standard_normal((sequences, steps, 2)), targets, lengths=lengths)
    state = 0.5 * rng.random((sequences, network.state_size))
    return network, network.init(rng=rng), batch, state


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("tape", [None, 1])
def test_gradient_from_a_first_state_is_the_derivative_of_the_loss_from_it(name, tape, monkeypatch):
    if tape:  # sequences in segments, whose tape is computed a second time
        monkeypatch.setattr("evorrn.engine.lanes.gradient.TAPE_BYTES", tape)
    network, genome, batch, state = made(*NETWORKS[name], steps=37 if tape else 17)
    loss, gradient, last = network.loss_and_gradient(genome, batch, state, True)

    def from_state(weights):
        outputs, end = network.predict(weights, batch.inputs, state, True, lengths=batch.lengths)
        sums, entries = naive.losses(outputs, batch.targets, batch.scored, network.loss_name)
        return sums.sum() / entries.sum(), end

    plain, end = from_state(genome)
    assert loss == pytest.approx(plain, rel=1e-10)
    np.testing.assert_allclose(last, end, rtol=1e-10, atol=1e-13)
    along = np.random.default_rng(1).standard_normal(network.size)
    along /= np.linalg.norm(along)
    change = (from_state(genome + 1e-6 * along)[0] - from_state(genome - 1e-6 * along)[0]) / 2e-6
    assert gradient @ along == pytest.approx(change, rel=2e-6, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_state_from_a_first_state_are_those_of_plain_numpy(dtype):
    rng = np.random.default_rng(3)
    network = Network(2, 1, cell="elman", hidden=4, dtype=dtype)
    genome, steps = network.init(seed=1), 9
    x, targets = rng.standard_normal((40, steps, 2)), rng.standard_normal((40, steps, 1))
    lengths, first = rng.integers(1, steps + 1, 40), rng.standard_normal((40, 4))
    w = network.unpack(genome.astype(float))
    total, ends = 0.0, []
    for b in range(40):
        h = first[b]
        for t in range(lengths[b]):
            h = np.tanh(w["layer0.W_x"] @ x[b, t] + w["layer0.W_h"] @ h + w["layer0.b"])
            total += np.square(w["readout.W"] @ h + w["readout.b"] - targets[b, t]).sum()
        ends.append(h)
    loss, _, last = network.loss_and_gradient(genome, Batch(x, targets, lengths=lengths), first, True)
    near = 1e-5 if dtype == "float32" else 1e-12
    assert loss == pytest.approx(total / lengths.sum(), rel=near) and last.dtype == dtype
    np.testing.assert_allclose(last, ends, rtol=near, atol=near)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_losses_of_chunk_after_chunk_are_those_of_the_whole(name):
    network, genome, batch, _ = made(*NETWORKS[name])
    whole = Batch(batch.inputs, batch.targets)  # every sequence reaches into every chunk
    wanted, _, end = network.loss_and_gradient(genome, whole, return_state=True)
    state, total = None, 0.0
    for start, stop in ((0, 1), (1, 8), (8, 17)):
        chunk = Batch(whole.inputs[:, start:stop], whole.targets[:, start:stop])
        loss, _, state = network.loss_and_gradient(genome, chunk, state, return_state=True)
        total += loss * (stop - start)
    assert total / 17 == pytest.approx(wanted, rel=1e-10)
    np.testing.assert_allclose(state, end, rtol=1e-10, atol=1e-13)


def test_a_state_of_a_wrong_shape_is_refused():
    network, genome, batch, state = made({"cell": "elman", "hidden": 5}, 3)
    with pytest.raises(ShapeError, match=r"state: expected shape \(3, 5\), got \(3, 4\)"):
        network.loss_and_gradient(genome, batch, state[:, :4])
