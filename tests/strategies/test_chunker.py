"""History compression: codes rebuild their data, and an automatizer learns from a chunker that sees only surprises."""

import numpy as np
import pytest

from evorrn import Batch, Chunker, Level, Network, Problem, compress, decompress
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.strategies.gradient.chunker import find_events, narrowed, pair_of, widened


def classifier(inputs, hidden=3, seed=0):
    network = Network(inputs, inputs, hidden=hidden, loss="cross-entropy")
    return Level(network, network.init(seed=seed) * 2)


def stacks():
    yield [classifier(5)]
    yield [classifier(5), classifier(9, 4, 1)]
    yield [classifier(5), classifier(8, 4, 1), classifier(11, 2, 2)]


@pytest.mark.parametrize("levels", list(stacks()), ids=len)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 150])
def test_what_is_compressed_is_rebuilt_byte_for_byte(levels, count):
    """Untrained networks predict some symbols and gaps of random data by chance; long runs have long gaps."""
    rng = np.random.default_rng(count)
    for data in (rng.integers(0, 5, count), np.repeat(rng.integers(0, 5, -(-count // 40)), 40)[:count]):
        data = bytes(data.tolist())
        code = compress(levels, data)
        assert isinstance(code, bytes) and decompress(levels, code) == data


def perfect(period):
    """Return a network that predicts a repeating sequence of different symbols: its readout shifts the input by one."""
    network = Network(
        period, period, cell="feed-forward", hidden=period, cell_options={"activation": "identity"}
    )
    blocks = {name: np.zeros(shape) for name, shape in network.blocks.items()}
    blocks["layer0.W_x"] = np.eye(period)
    blocks["readout.W"] = np.roll(np.eye(period), 1, axis=0)
    return Level(network, network.pack(blocks))


def test_a_predictor_without_errors_leaves_one_event_however_long_the_data():
    levels = [perfect(4)]
    data = bytes([0, 1, 2, 3] * 500)
    code = compress(levels, data)
    assert code == bytes(
        [2000 % 128 + 128, 2000 // 128, 1, 0, 0]
    )  # the length, one event: symbol 0 after no other
    assert decompress(levels, code) == data


def test_each_surprise_costs_a_symbol_and_a_gap():
    levels, data = [perfect(4)], bytes([0, 1, 2, 3, 0, 1, 1, 2, 3])
    assert compress(levels, data) == bytes([9, 2, 0, 0, 1, 5])
    assert decompress(levels, compress(levels, data)) == data


def test_faulty_levels_and_data_are_refused():
    with pytest.raises(ShapeError, match="at least one level"):
        compress([], b"")
    with pytest.raises(ShapeError, match="expected level 2 to have 11 inputs and outputs"):
        compress([classifier(5), classifier(8), classifier(9)], b"")
    with pytest.raises(DataError, match="symbols below 5, got 7"):
        compress([classifier(5)], bytes([1, 7]))
    with pytest.raises(DataError, match="cut off"):
        decompress([classifier(5)], bytes([200]))
    for junk in (b"", b"junkjunkjunk", bytes([9, 1, 7, 0]), bytes([3, 1, 0, 5]), bytes([9, 2, 0, 0])):
        with pytest.raises(DataError, match="what compress returned with the same levels"):
            decompress([classifier(5)], junk)


def lagged(lag=8, loss="binary-cross-entropy"):
    """Return two sequences whose first symbol decides on the target at the end; all others are the same."""
    inputs = np.zeros((2, lag + 1, lag + 2))
    inputs[[0, 1], 0, [0, 1]] = 1
    inputs[:, 1 + np.arange(lag), 2 + np.arange(lag)] = 1
    targets, mask = np.zeros((2, lag + 1, 1)), np.zeros((2, lag + 1), bool)
    targets[0, -1], mask[:, -1] = 1, True
    return Network(lag + 2, 1, hidden=6, loss=loss), Batch(inputs, targets, mask=mask)


def test_events_are_first_steps_unpredicted_inputs_and_missed_targets():
    network = Network(2, 1, hidden=2)
    inputs = np.arange(16.0).reshape(2, 4, 2) / 10
    batch = Batch(inputs, np.zeros((2, 4, 1)), mask=[[True, False, False, True]] * 2, lengths=[4, 3])
    said = np.zeros((2, 4, 6))
    said[:, :-1, 1:3] = inputs[:, 1:]
    said[0, 1, 2] += 0.31  # the second entry of the third input is missed
    said[0, 3, 0] = 0.4  # so is the target of the last step
    said[1, 3] = 9.0  # beyond the length
    events = find_events(network, batch, said, 0.3)
    assert events.counts.tolist() == [3, 1]
    assert events.times[0].tolist() == [0, 2, 3] and events.times[1, 0] == 0
    assert events.last[0].tolist() == [0, 0, 1, 2] and events.last[1, :3].tolist() == [0, 0, 0]


def test_the_result_is_the_first_outputs_of_the_automatizer():
    network, rng = (
        Network(3, 2, cell="gru", hidden=(4, 3), direct=True, dtype="float64"),
        np.random.default_rng(0),
    )
    wide = Network.from_settings({**network.settings(), "outputs": 9})
    genome, x = network.init(seed=1), rng.standard_normal((2, 5, 3))
    both = widened(wide, wide.init(seed=2), network, genome)
    np.testing.assert_allclose(wide.predict(both, x)[:, :, :2], network.predict(genome, x), rtol=1e-12)
    assert np.array_equal(narrowed(wide, both, network), genome)


@pytest.mark.thorough
def test_events_become_fewer_and_the_target_is_learned():
    network, batch = lagged()
    result = Chunker(patience=0).fit(network, batch, seed=1, budget="250gen")
    events = result.history["events"]
    assert events[0] == 1.0 and events[-1] < 0.5
    assert result.metrics["train"]["binary_accuracy"] == 1.0
    assert result.network is not None and result.genome.shape == (network.size,)


def test_values_and_ragged_sequences_will_do():
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((5, 7, 2)), rng.integers(0, 3, (5, 7)), lengths=[7, 1, 4, 2, 7])
    network = Network(2, 3, cell="lstm", hidden=3, loss="cross-entropy")
    found = Chunker(batch_size=2).fit(network, batch, budget="20gen").history
    assert np.isfinite(found["train_loss"]).all() and found["train_loss"][-1] < found["train_loss"][0]


def test_work_is_that_of_both_networks():
    network, batch = lagged()
    problem, strategy = Problem(network, batch), Chunker()
    strategy.step(problem, strategy.start(problem, np.random.default_rng(0)))
    wide, above = pair_of(network, strategy.chunker_units)
    steps = 18  # all of them are events at first
    own = sum(steps * (k * net.step_work[0] + net.step_work[1]) for net, k in ((wide, 2), (above, 3)))
    updates = 15 * (wide.size + above.size)
    assert problem.meter.work == own + updates + network.forward_work(batch)


def test_networks_that_see_their_output_and_losses_of_whole_sequences_are_refused():
    batch = Batch(np.zeros((1, 5, 1)), np.zeros((1, 5, 1)))
    with pytest.raises(ConfigError, match=r"does not see its own output.* bptt, ekf and evolution serve"):
        Chunker().fit(Network(1, 1, hidden=2, feedback=True), batch, budget="1gen")
    whole = Batch(np.zeros((1, 5, 1)), [[1]], target_lengths=[1])
    with pytest.raises(ConfigError, match="loss on whole sequences"):
        Chunker().fit(Network(1, 2, hidden=2, loss="ctc"), whole, budget="1gen")
