"""What goes back into a network: through feedback, to a cell that sees the output, and in closed loop."""

import naive
import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network
from evorrn.base.errors import ConfigError

LOSSES = ("binary-cross-entropy", "cross-entropy")


def case(seed, loss, fed_back, *, cell="elman", feedback=False, sequences=9, hidden=4):
    """Return a network, a genome and a ragged batch."""
    rng = np.random.default_rng(seed)
    network = Network(
        4, 3, cell=cell, hidden=hidden, feedback=feedback, loss=loss, dtype="float64", fed_back=fed_back
    )
    lengths = rng.integers(1, 8, sequences)
    labels = rng.integers(0, 3, (sequences, 7))
    targets = labels if loss == "cross-entropy" else (np.eye(3)[labels] > 0) * 1.0
    batch = Batch(rng.normal(size=(sequences, 7, 4)), targets, lengths=lengths)
    return rng, network, 3 * network.init(seed=seed), batch


@pytest.mark.parametrize(("sequences", "hidden"), [(9, 4), pytest.param(2, 64, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("fed_back", "cell", "feedback"), [("probability", "elman", True), ("bit", "jordan", False)]
)
def test_probabilities_or_bits_go_back_through_feedback_and_their_gradient_is_exact(
    fed_back, cell, feedback, loss, sequences, hidden
):
    """In the layout of sequences and in that of units, with and without a teacher and a closed loop."""
    rng, network, genome, batch = case(
        1, loss, fed_back, cell=cell, feedback=feedback, sequences=sequences, hidden=hidden
    )
    teacher, free = rng.random((sequences, 7, 3)), rng.integers(0, 7, sequences)
    for given in ({}, {"teacher": teacher}, {"free_from": free}, {"teacher": teacher, "free_from": free}):
        outputs = network.predict(genome, batch.inputs, lengths=batch.lengths, **given)
        np.testing.assert_allclose(outputs, naive.run_network(network, genome, batch, **given)[0], atol=1e-9)
    along = rng.normal(size=network.size)
    ahead, behind = (network.loss(genome + step * along, batch) for step in (1e-6, -1e-6))
    slope = network.loss_and_gradient(genome, batch)[1] @ along
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("fed_back", ["probability", "bit", "output"])
@pytest.mark.parametrize("sequences", [pytest.param(2, marks=pytest.mark.thorough), 9])
def test_probabilities_or_bits_go_back_in_closed_loop(sequences, fed_back, loss):
    """Also from the first step on, where no output has been made and zero goes in."""
    rng, network, genome, batch = case(
        2, loss, fed_back, hidden=64 if sequences == 2 else 4, sequences=sequences
    )
    for free in (np.zeros(sequences, int), rng.integers(0, 7, sequences)):
        outputs = network.predict(genome, batch.inputs, lengths=batch.lengths, free_from=free)
        wanted = naive.run_network(network, genome, batch, free_from=free)[0]
        np.testing.assert_allclose(outputs, wanted, atol=1e-9)


@pytest.fixture
def as_many(monkeypatch):
    """Run few sequences in the layout of many, whose programs share kernels."""
    monkeypatch.setattr("evorrn.engine.rows.run.Rows.fit", lambda self, sequences: False)


def test_a_forecast_of_bits_goes_on_as_the_training_data(as_many):
    """A network that has learned a sequence of bits forecasts it; with logits fed back it did not."""
    pattern = np.array([0, 0, 1, 0, 1, 1, 1, 0], float)
    series = np.tile(pattern, 30)[None, :, None]
    batch = Batch(series[:, :-1], series[:, 1:], mask=np.arange(239)[None] >= 8)
    network = Network(1, 1, cell="elman", hidden=12, loss="binary-cross-entropy")
    result = evorrn.BPTT(rate=0.02).fit(network, batch, seed=0, budget="400gen")
    assert result.horizon == 1
    assert result.metrics["train"]["binary_accuracy"] == 1.0
    forecast = result.forecast(series[0, :80], 80)
    assert ((forecast[:, 0] > 0) == series[0, 80:160, 0]).all()


@pytest.mark.parametrize(("sequences", "hidden"), [(2, 4), (9, 4), (2, 64)])
@pytest.mark.parametrize("cell", ["elman", "jordan"])
def test_an_ended_sequence_keeps_its_last_output_in_the_state_beside_a_teacher(cell, sequences, hidden):
    """The state after the last step of a sequence is that of the sequence alone, without what lies beyond its end."""
    rng = np.random.default_rng(3)
    network = Network(2, 2, cell=cell, hidden=hidden, feedback=cell == "elman", dtype="float64")
    genome, x = network.init(seed=0), rng.normal(size=(sequences, 6, 2))
    teacher, lengths = rng.normal(size=(sequences, 6, 2)), rng.integers(1, 7, sequences)
    lengths[0] = 3
    outputs, state = network.predict(genome, x, lengths=lengths, teacher=teacher, return_state=True)
    for b, length in enumerate(lengths):
        alone, end = network.predict(
            genome, x[b : b + 1, :length], teacher=teacher[b : b + 1, :length], return_state=True
        )
        np.testing.assert_allclose(state[b], end[0], atol=1e-12)
        np.testing.assert_allclose(state[b, -2:], alone[0, -1], atol=1e-12)
        np.testing.assert_array_equal(state[b, -2:], outputs[b, length - 1])


@pytest.mark.parametrize(("sequences", "hidden"), [(5, 4), (2, 64)])
def test_with_a_teacher_the_closed_loop_still_takes_the_network_own_output(sequences, hidden):
    """The teacher stands in for the fed-back output; the first inputs are the network's own, by hand step by step."""
    rng = np.random.default_rng(4)
    network = Network(2, 1, cell="elman", hidden=hidden, feedback=True, dtype="float64")
    genome, x = network.init(seed=0), rng.normal(size=(sequences, 6, 2))
    teacher, free = rng.normal(size=(sequences, 6, 1)), np.arange(sequences) % 5
    outputs = network.predict(genome, x, teacher=teacher, free_from=free)
    for b in range(sequences):
        state, own = np.zeros((1, network.state_size)), 0.0
        for t in range(6):
            given = x[b : b + 1, t : t + 1].copy()
            if t >= free[b]:
                given[..., 0] = own
            out, state = network.predict(
                genome, given, state=state, return_state=True, teacher=teacher[b : b + 1, t : t + 1]
            )
            own = out[0, 0, 0]
            np.testing.assert_allclose(outputs[b, t], out[0, 0], atol=1e-12)


def test_what_may_go_back_depends_on_the_loss():
    for loss, fed_back in (("mse", "bit"), ("mse", "probability"), ("cross-entropy", "logit"), ("mse", 1)):
        with pytest.raises(ConfigError, match=f"network.fed_back: expected .* for the loss {loss}, got"):
            Network(1, 2, loss=loss, fed_back=fed_back)
    assert Network(1, 2).fed_back == "output"
    assert Network(1, 2, loss="cross-entropy").fed_back == "probability"


def test_settings_stored_before_the_choice_existed_mean_that_outputs_go_back():
    """Where the network sees its output; elsewhere it trains in the same way, and its forecasts get the right value."""
    for loss in LOSSES:
        for feedback in (True, False):
            new = Network(1, 2, loss=loss, feedback=feedback)
            stored = new.settings()
            assert Network.from_settings(stored).fed_back == "probability"
            assert ("fed_back" in stored) == feedback
            stored.pop("fed_back", None)
            old = Network.from_settings(stored)
            assert old.fed_back == ("output" if feedback else "probability")
            assert old.settings() == stored
    assert "fed_back" not in Network(1, 1, feedback=True).settings()


def test_a_teacher_of_labels_is_one_for_the_class_before_and_zero_elsewhere(as_many):
    network = Network(1, 3, loss="cross-entropy", cell="leaky", hidden=3, feedback=True)
    labels = np.array([[2, 0, 1, 7]])
    batch = Batch(np.zeros((1, 4, 1)), labels, mask=[[True, False, True, False]])
    problem = evorrn.Problem(network, batch)
    teacher = np.array([[[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]])
    genome = problem.init(np.random.default_rng(0), 1)[0]
    np.testing.assert_array_equal(
        problem.states(genome, teacher=True), network.states(genome, batch.inputs, teacher=teacher)
    )
