"""Readouts of reservoirs once a sequence, of all layers, of both directions, and by votes of the time steps."""

import numpy as np
import pytest

import evorrn
from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError

ALPHA = 1e-3
FORMS = {
    "last": {"readout": "last"},
    "mean": {"readout": "mean"},
    "max": {"readout": "max"},
    "three samples": {"readout": "sampled:3"},
    "all layers": {"reads": "all", "hidden": (7, 5)},
    "mean of all layers": {"reads": "all", "hidden": (7, 5), "readout": "mean"},
    "both directions": {"bidirectional": True},
    "last of both directions": {"bidirectional": True, "readout": "last"},
    "four samples of both directions": {"bidirectional": True, "readout": "sampled:4"},
}
SIZES = [(40, 9, 3, 2), (25, 5, 1, 1), (1, 7, 2, 3)]


def made(form, sequences, steps, inputs, outputs, **settings):
    """Return a network, and a batch of sequences of different lengths with a target at their last steps, or at all."""
    rng = np.random.default_rng(steps)
    network = Network(
        inputs, outputs, **{"cell": "leaky", "hidden": 6, "dtype": "float64", **form, **settings}
    )
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    x = rng.normal(size=(sequences, steps, inputs))
    targets = rng.normal(size=(sequences, steps, outputs))
    once = np.arange(steps) == lengths[:, None] - 1
    return network, Batch(x, targets, lengths=lengths, mask=once if network.pool else None)


def run(blocks, name, leak, x):
    """Return the states (T, H) of a leaky layer, in plain NumPy."""
    state, found = np.zeros(len(blocks[f"{name}.b"])), []
    for u in x:
        new = np.tanh(blocks[f"{name}.W_x"] @ u + blocks[f"{name}.W_h"] @ state + blocks[f"{name}.b"])
        state = (1 - leak) * state + leak * new
        found.append(state)
    return np.array(found)


def seen(network, blocks, leak, x):
    """Return what the readout sees of one sequence, (T, F) or (F,), in plain NumPy."""
    series, given = [], x
    for layer in range(len(network.hidden)):
        if network.bidirectional:
            back = run(blocks, f"layer{layer}.backward", leak, given[::-1])[::-1]
            given = np.hstack([run(blocks, f"layer{layer}.forward", leak, given), back])
        else:
            given = run(blocks, f"layer{layer}", leak, given)
        series.append(given)
    states = np.hstack(series) if network.reads == "all" else given
    if network.readout == "last":
        half = states.shape[1] // 2
        return np.concatenate([states[-1, :half], states[0, half:]]) if network.bidirectional else states[-1]
    if network.readout.startswith("sampled"):
        count = int(network.readout[-1])
        return np.concatenate([states[-(-k * len(x) // count) - 1] for k in range(1, count + 1)])
    return states if network.readout == "every" else getattr(np, network.readout)(states, axis=0)


def solved(features, targets):
    """Return weights (O, F) and bias (O,) of ridge regression, by least squares with rows for the penalty."""
    mean, shift = features.mean(axis=0), targets.mean(axis=0)
    penalty = np.sqrt(ALPHA * len(features)) * np.eye(features.shape[1])
    rows = np.vstack([features - mean, penalty])
    wanted = np.vstack([targets - shift, np.zeros((features.shape[1], targets.shape[1]))])
    weights = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    return weights, shift - weights @ mean


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SIZES)
def test_the_readout_is_the_ridge_solution_on_the_pooled_states(form, size):
    network, batch = made(FORMS[form], *size)
    result = EchoState(reservoirs=1, leak=0.6, washout=0, alphas=(ALPHA,)).fit(network, batch, seed=1)
    blocks = network.unpack(result.genome)
    features = [seen(network, blocks, 0.6, x[:length]) for x, length in zip(batch.inputs, batch.lengths)]
    weights, bias = solved(np.vstack(features), batch.targets[batch.scored])
    np.testing.assert_allclose(blocks["readout.W"], weights, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(blocks["readout.b"], bias, rtol=1e-8, atol=1e-10)
    outputs = result.network.predict(result.genome, batch.inputs, lengths=batch.lengths)
    own = outputs if network.pool else outputs[batch.scored]
    np.testing.assert_allclose(own, np.vstack(features) @ weights.T + bias, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("form", ["last", "mean", "max", "three samples", "mean of all layers"])
def test_reservoirs_under_pooled_readouts_adapt_and_have_noise(form):
    network, batch = made(FORMS[form], 30, 8, 2, 1)
    rows = batch.scored
    found = {}
    for name, settings in {
        "plain": {},
        "intrinsic": {"plasticity": "intrinsic"},
        "anti-hebbian": {"plasticity": "anti-hebbian"},
        "noise": {"state_noise": 1e-12},
        "loud": {"state_noise": 0.1},
    }.items():
        strategy = EchoState(reservoirs=1, leak=0.6, washout=0, alphas=(ALPHA,), **settings)
        found[name] = network.unpack(strategy.fit(network, batch, seed=1).genome)
    np.testing.assert_allclose(found["noise"]["readout.W"], found["plain"]["readout.W"], rtol=1e-5, atol=1e-7)
    for name in ("intrinsic", "anti-hebbian", "loud"):
        assert np.abs(found[name]["readout.W"] - found["plain"]["readout.W"]).max() > 1e-4
    changed = found["intrinsic"]
    features = [seen(network, changed, 0.6, x[:length]) for x, length in zip(batch.inputs, batch.lengths)]
    np.testing.assert_allclose(
        changed["readout.W"], solved(np.vstack(features), batch.targets[rows])[0], rtol=1e-7, atol=1e-9
    )


def test_what_needs_layers_in_one_direction_says_so():
    for options, word in (({"bidirectional": True}, "bidirectional=True"), ({"embedding": 3}, "embedding")):
        network = Network(4, 1, cell="leaky", hidden=6, dtype="float64", **options)
        x = np.zeros((3, 5), int) if "embedding" in options else np.zeros((3, 5, 4))
        for settings in ({"state_noise": 0.1}, {"plasticity": "intrinsic"}, {"plasticity": "bcm"}):
            with pytest.raises(ConfigError, match=f"expected a network without {word}"):
                EchoState(reservoirs=1, **settings).fit(network, Batch(x, np.zeros((3, 5, 1))))


@pytest.mark.parametrize("form", ["mean", "max", "last of both directions", "mean of all layers"])
@pytest.mark.parametrize("kind", [evorrn.EvolvedReservoir, evorrn.RLS, evorrn.LMS])
def test_other_ways_of_fitting_a_readout_learn_it_too(form, kind):
    network, batch = made(FORMS[form], 60, 8, 2, 3, loss="cross-entropy")
    labels = np.argmax(batch.inputs.mean(axis=1) @ np.array([[3.0, 0, -3.0], [0, 3.0, 0]]), axis=1)
    batch = Batch(batch.inputs + np.array([[2.0, 0], [0, 2.0], [-2.0, 0]])[labels][:, None], labels)
    settings = {"epochs": 30} if kind is evorrn.LMS else {}
    result = kind(reservoirs=3, **settings).fit(network, batch, seed=0)
    assert result.metrics["train"]["accuracy"] > 0.9
    assert result.predict(batch.inputs).shape == (60, 3)


def test_least_mean_squares_learns_sequences_that_are_sorted_by_class():
    """In the order of the classes the last class would be all that the rule remembers."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    x = 2 * np.eye(3)[labels][:, None] + 0.5 * rng.normal(size=(60, 6, 3))
    network = Network(3, 3, cell="leaky", hidden=20, readout="mean", dtype="float64", loss="cross-entropy")
    result = evorrn.LMS(reservoirs=1, epochs=5).fit(network, Batch(x, labels), seed=0)
    assert result.metrics["train"]["accuracy"] > 0.95


def test_what_learns_in_the_loop_or_sees_delays_alone_says_that_it_reads_every_step():
    network, batch = made({"readout": "mean"}, 10, 5, 2, 1)
    with pytest.raises(ConfigError, match='strategy force: expected a network without readout="mean"'):
        evorrn.FORCE(reservoirs=1, full=True).fit(network, batch)
    network = Network(2, 1, readout="last", **evorrn.NGRC().needs_network(2))
    with pytest.raises(ConfigError, match='strategy ng-rc: expected a network without readout="last"'):
        evorrn.NGRC().fit(network, batch)


@pytest.mark.parametrize("seed", range(3))
def test_votes_are_counted_as_by_hand(seed):
    """A step votes for its largest output; of classes with equally many votes the larger sum of outputs wins."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 7, 30)
    truth = np.repeat(rng.integers(0, 3, 30), lengths)
    predicted = rng.normal(size=(lengths.sum(), 3)) + 0.8 * np.eye(3)[truth]
    right, place = 0, 0
    for length in lengths:
        own = predicted[place : place + length]
        votes = [sum(row.argmax() == label for row in own) for label in range(3)]
        leading = [label for label in range(3) if votes[label] == max(votes)]
        right += max(leading, key=lambda label: own[:, label].sum()) == truth[place]
        place += length
    found = evorrn.data.metrics.evaluate(("vote_accuracy",), predicted, truth, np.cumsum(lengths) - 1)
    assert np.isclose(found["vote_accuracy"], right / 30)


def test_sequences_of_one_class_at_every_step_are_judged_by_votes():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    x = (labels - 0.5)[:, None, None] + 1.5 * rng.normal(size=(60, 30, 1))
    network = Network(1, 2, cell="leaky", hidden=10, dtype="float64", loss="cross-entropy")
    every = Batch(x, np.repeat(labels[:, None], 30, axis=1), lengths=rng.integers(10, 31, 60))
    scores = EchoState(reservoirs=1, leak=1.0, washout=0).fit(network, every).metrics["train"]
    assert scores["vote_accuracy"] > scores["accuracy"]
    assert "vote_accuracy" not in EchoState(reservoirs=1).fit(network, Batch(x, labels)).metrics["train"]
    changing = Batch(x, rng.integers(0, 2, (60, 30)))
    assert "vote_accuracy" not in EchoState(reservoirs=1).fit(network, changing).metrics["train"]
