"""Truncated backpropagation through time: its gradient, the carried state, its cost, and stopping and going on."""

from types import SimpleNamespace

import naive
import numpy as np
import pytest

from evorrn import BPTT, Batch, Network, Problem
from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.strategies.gradient import windows as windows_module
from evorrn.strategies.gradient.windows import Windows
from evorrn.training.budget import Budget
from evorrn.training.trainer import Trainer


def ragged(sequences=7, steps=23, seed=0, outputs=1, loss="mse"):
    """Return sequences of different lengths, whose steps are scored at random."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    mask = rng.random((sequences, steps)) < 0.6
    mask[0, :5], mask[np.arange(sequences), lengths - 1] = False, True
    targets = rng.random((sequences, steps, outputs))
    if loss == "cross-entropy":
        targets = rng.integers(0, outputs, (sequences, steps))
    return Batch(rng.standard_normal((sequences, steps, 2)), targets, mask=mask, lengths=lengths)


def ends(length, window, every):
    """Yield first step, first step whose loss counts, and stop of each window of a sequence."""
    for first in range(0, length, every):
        stop = min(first + every, length)
        yield max(0, stop - window), first, stop


def by_hand(network, genome, batch, window, every):
    """Return loss and truncated gradient of an Elman network, by loops over sequences, windows and steps."""
    w = {name.split(".")[-1] if "layer" in name else name: v for name, v in network.unpack(genome).items()}
    g = {name: np.zeros_like(v) for name, v in w.items()}
    count, total = batch.scored.sum(), 0.0
    for b in range(batch.size):
        x, h = batch.inputs[b], [np.zeros(len(w["b"]))]
        for t in range(batch.lengths[b]):
            h.append(np.tanh(w["W_x"] @ x[t] + w["W_h"] @ h[t] + w["b"]))
        for start, first, stop in ends(batch.lengths[b], window, every):
            back = np.zeros(len(w["b"]))
            for t in reversed(range(start, stop)):
                if t >= first and batch.scored[b, t]:
                    error = w["readout.W"] @ h[t + 1] + w["readout.b"] - batch.targets[b, t]
                    total += np.square(error).sum() / count
                    g["readout.W"] += np.outer(2 * error, h[t + 1]) / count
                    g["readout.b"] += 2 * error / count
                    back = back + w["readout.W"].T @ (2 * error) / count
                inner = back * (1 - h[t + 1] ** 2)
                g["W_x"] += np.outer(inner, x[t])
                g["W_h"] += np.outer(inner, h[t])
                g["b"] += inner
                back = w["W_h"].T @ inner
    return total, np.concatenate([v.ravel() for v in g.values()])


def elman(**options):
    return Network(2, 1, **{"cell": "elman", "hidden": 4, "dtype": "float64", **options})


@pytest.mark.parametrize("window, every", [(1, 1), (5, 1), (5, 2), (6, 3), (7, 7), (7, 5), (22, 4), (30, 4)])
def test_the_gradient_goes_back_over_each_window_and_each_loss_counts_once(window, every, monkeypatch):
    network, batch = elman(), ragged()
    genome = network.init(seed=1)
    loss, gradient = by_hand(network, genome, batch, window, every)
    for group in (1, 40, 10**6):
        monkeypatch.setattr(windows_module, "LARGEST_GROUP", group)
        found = Windows(Problem(network, batch), None, window, every).gradient(genome)
        assert found[0] == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(found[1], gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("every", [1, 3, 10, 23, 40])
def test_a_window_of_the_whole_sequence_gives_the_exact_gradient(every):
    network, batch = elman(cell="lstm"), ragged()
    genome = network.init(seed=1)
    loss, gradient = network.loss_and_gradient(genome, batch)
    found = Windows(Problem(network, batch), None, max(23, every), every).gradient(genome)
    assert found[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-10, atol=1e-13)


def test_the_error_of_the_gradient_falls_with_the_window():
    rng = np.random.default_rng(2)
    network = elman(hidden=8)
    batch = Batch(rng.standard_normal((4, 60, 2)), rng.standard_normal((4, 60, 1)))
    errors = []
    for seed in range(5):
        genome = network.init(seed=seed)
        exact = network.loss_and_gradient(genome, batch)[1]
        found = [
            Windows(Problem(network, batch), None, h, 1).gradient(genome)[1] for h in (1, 2, 4, 8, 16, 32)
        ]
        errors.append(np.linalg.norm(np.array(found) - exact, axis=1) / np.linalg.norm(exact))
    medians = np.median(errors, axis=0)
    assert (np.diff(medians) < 0).all() and medians[-1] < 0.05 * medians[0]


def test_a_window_of_one_step_is_the_rule_of_elman():
    """The state before is one more input: the gradient is that of a network without recurrence that reads it."""
    network, batch = elman(), ragged()
    genome = network.init(seed=1)
    before = np.zeros((7, 23, 4))
    before[:, 1:] = network.states(genome, batch.inputs, lengths=batch.lengths)[:, :-1]
    w = network.unpack(genome)
    wide = Network(6, 1, cell="feed-forward", hidden=4, dtype="float64", cell_options={"activation": "tanh"})
    same = wide.pack(
        {
            "layer0.W_x": np.hstack([w["layer0.W_x"], w["layer0.W_h"]]),
            **{name: w[name] for name in ("layer0.b", "readout.W", "readout.b")},
        }
    )
    shown = Batch(np.dstack([batch.inputs, before]), batch.targets, mask=batch.scored, lengths=batch.lengths)
    wanted = wide.unpack(wide.loss_and_gradient(same, shown)[1])
    found = network.unpack(Windows(Problem(network, batch), None, 1, 1).gradient(genome)[1])
    both = np.hstack([found["layer0.W_x"], found["layer0.W_h"]])
    np.testing.assert_allclose(both, wanted["layer0.W_x"], rtol=1e-10, atol=1e-14)
    for name in ("layer0.b", "readout.W", "readout.b"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-10, atol=1e-14)


OTHERS = {
    "feedback": {"feedback": True},
    "feedback of two layers": {"feedback": True, "cell": "gru", "hidden": (3, 4)},
    "feedback of probabilities": {"feedback": True, "loss": "binary-cross-entropy"},
    "a cell that sees the output": {"cell": "jordan"},
    "classes": {"cell": "gru", "loss": "cross-entropy"},
    "arrays": {"cell": "ntm"},
}


QUICK = ("feedback", "classes", "a cell that sees the output")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in sorted(OTHERS)],
)
def test_truncated_gradient_is_the_derivative_with_the_states_at_the_starts_held_fixed(name):
    options = {"cell": "elman", "hidden": 4, **OTHERS[name]}
    network = Network(2, 2, dtype="float64", **options)
    batch = ragged(4, 12, outputs=2, loss=network.loss_name)
    genome, window, every = network.init(seed=1), 5, 2
    teacher = network.warm_up(batch)
    if teacher is None and network.step.feeds_back:
        teacher = np.full((4, 12, 2), np.nan)

    def part(values, b, start, stop):  # eight times the same, as one sequence would need programs of its own
        return None if values is None else np.repeat(values[b : b + 1, start:stop], 8, axis=0)

    pieces = []  # of each window: sequence, first state, and its steps
    for b in range(4):
        for start, first, stop in ends(batch.lengths[b], window, every):
            state = None
            if start:
                given = {"teacher": part(teacher, b, 0, start)}
                _, state = network.predict(genome, part(batch.inputs, b, 0, start), None, True, **given)
            pieces.append((b, state, start, first, stop))

    def loss(weights):
        total = count = 0.0
        for b, state, start, first, stop in pieces:
            given = {"teacher": part(teacher, b, start, stop)}
            outputs = network.predict(weights, part(batch.inputs, b, start, stop), state, **given)
            own = part(batch.scored, b, start, stop) & (np.arange(start, stop) >= first)
            sums, entries = naive.losses(outputs, part(batch.targets, b, start, stop), own, network.loss_name)
            total, count = total + sums.sum(), count + entries.sum()
        return total / count

    found, gradient = Windows(Problem(network, batch), None, window, every).gradient(genome)
    assert found == pytest.approx(loss(genome), rel=1e-10)
    assert found == pytest.approx(network.loss(genome, batch), rel=1e-10)
    along = np.random.default_rng(1).standard_normal(network.size)
    along /= np.linalg.norm(along)
    change = (loss(genome + 1e-6 * along) - loss(genome - 1e-6 * along)) / 2e-6
    assert gradient @ along == pytest.approx(change, rel=2e-6, abs=1e-8)


def test_learned_first_states_have_a_gradient_in_the_windows_at_the_start_of_a_sequence():
    network, batch = elman(learn_start=True), ragged()
    genome = network.init(seed=1) + 0.1

    states = network.states(genome, batch.inputs, lengths=batch.lengths)

    def loss(weights):
        w, total = network.unpack(weights), 0.0
        for b in range(batch.size):
            for start, first, stop in ends(batch.lengths[b], 6, 4):
                h = states[b, start - 1] if start else w["layer0.start.h"]
                for t in range(start, stop):
                    h = np.tanh(w["layer0.W_x"] @ batch.inputs[b, t] + w["layer0.W_h"] @ h + w["layer0.b"])
                    if t >= first and batch.scored[b, t]:
                        error = w["readout.W"] @ h + w["readout.b"] - batch.targets[b, t]
                        total += np.square(error).sum()
        return total / batch.scored.sum()

    found, gradient = Windows(Problem(network, batch), None, 6, 4).gradient(genome)
    assert found == pytest.approx(loss(genome), rel=1e-10)
    steps = 1e-6 * np.eye(network.size)
    wanted = [(loss(genome + step) - loss(genome - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-8)
    exact = network.loss_and_gradient(genome, batch)[1]
    found = Windows(Problem(network, batch), None, 23, 4).gradient(genome)[1]
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-13)


# ------------------------------------------------------------------------------- the state carried


def series(steps=50, sequences=1, seed=3, washout=0):
    rng = np.random.default_rng(seed)
    mask = np.arange(steps)[None] >= np.full((sequences, 1), washout)
    return Batch(rng.standard_normal((sequences, steps, 2)), rng.random((sequences, steps, 1)), mask=mask)


def plain(**settings):
    common = {"optimiser": "sgd", "momentum": 0.0, "rate": 0.1, "clip": 0.0, "schedule": "constant"}
    return BPTT(**{**common, "batch_size": 0, "patience": 0, **settings})


def stepped(strategy, problem, epochs=1):
    state = strategy.start(problem, np.random.default_rng(0))
    genomes = [state["genome"]]
    for _ in range(epochs):
        state = strategy.step(problem, state)
        genomes.append(state["genome"])
    return state, genomes


@pytest.mark.parametrize(
    "window, every, washout", [(10, 10, 0), (10, 5, 0), (12, 5, 7), (7, 3, 20), (60, 9, 0)]
)
def test_each_window_of_a_carried_state_is_an_update(window, every, washout):
    """The oracle carries the state by `predict`, and takes each gradient from a batch of one window."""
    network, batch = elman(), series(washout=washout)
    (state, genomes) = stepped(plain(carry=True, window=window, every=every), Problem(network, batch), 2)
    genome = genomes[0]
    for wanted in genomes[1:]:
        used = [each for each in ends(50, window, every) if each[2] > washout]
        h, at, losses = np.zeros((1, 4)), 0, []
        if used[0][0]:
            _, h = network.predict(genome, batch.inputs[:, : used[0][0]], return_state=True)
        for number, (start, first, stop) in enumerate(used):
            own = (np.arange(start, stop) >= max(first, washout))[None]
            part = Batch(batch.inputs[:, start:stop], batch.targets[:, start:stop], mask=own)
            loss, gradient = network.loss_and_gradient(genome, part, h)
            losses.append(loss * own.sum())
            if number + 1 < len(used):
                at = used[number + 1][0]
                if at > start:
                    _, h = network.predict(genome, batch.inputs[:, start:at], h, return_state=True)
            genome = genome - 0.1 * gradient
        np.testing.assert_allclose(wanted, genome, rtol=1e-9, atol=1e-12)
    assert state["train_loss"] == pytest.approx(sum(losses) / (50 - washout), rel=1e-9)


def test_carried_states_of_ragged_sequences_with_feedback_lose_no_loss():
    """With a rate of almost zero the mean of the windows' losses is the loss of the whole."""
    for seed in range(4):
        network, batch = elman(feedback=True), ragged(seed=seed)
        state, (genome, _) = stepped(
            plain(carry=True, window=6, every=4, rate=1e-12), Problem(network, batch)
        )
        assert state["train_loss"] == pytest.approx(network.loss(genome, batch), rel=1e-8)


def test_window_alone_makes_one_update_a_minibatch():
    network, batch = elman(), ragged()
    state, (genome, after) = stepped(plain(window=6, every=4), Problem(network, batch))
    loss, gradient = by_hand(network, genome, batch, 6, 4)
    np.testing.assert_allclose(after, genome - 0.1 * gradient, rtol=1e-9, atol=1e-13)
    assert state["train_loss"] == pytest.approx(loss)


def test_a_diverged_state_is_not_carried():
    network = Network(2, 1, cell="elman", hidden=4, cell_options={"activation": "identity"})
    strategy = plain(carry=True, window=5, rate=1e30)
    state, _ = stepped(strategy, Problem(network, series(100)), 3)
    assert state["record"]["skipped"] > 0 and np.isfinite(state["candidate"]).all()


# ------------------------------------------------------------------------------- cost


@pytest.mark.parametrize(
    "settings, forward, backward, evaluations",
    [
        ({"window": 10}, 50 + 40, 50, 1),
        ({"window": 10, "every": 5}, 95 + 40, 95, 1),
        ({"window": 10, "every": 10, "carry": True}, 50, 50, 5),
        ({"window": 10, "every": 5, "carry": True}, 95 + 40, 95, 10),
        ({"carry": True}, 50, 50, 1),
    ],
)
def test_the_meter_counts_the_steps_that_were_computed(settings, forward, backward, evaluations):
    network, batch = elman(hidden=30), series()
    problem = Problem(network, batch)
    seen = []
    for name in ("loss_and_gradient", "predict"):
        call = getattr(network, name)

        def counted(genome, data, *given, name=name, call=call, **named):
            seen.append((name, data.moved_steps if name != "predict" else int(named["lengths"].sum())))
            return call(genome, data, *given, **named)

        setattr(network, name, counted)
    strategy = plain(**settings)
    strategy.advance(problem, strategy.start(problem, np.random.default_rng(0)), np.random.default_rng(0))
    meter = problem.meter
    assert (meter.steps_forward, meter.steps_backward) == (forward, backward)
    assert (sum(n for _, n in seen), sum(n for name, n in seen if name != "predict")) == (forward, backward)
    assert meter.evaluations == evaluations
    one = network.forward_work(series(1)), network.backward_work(series(1))
    own = 15 * network.size * evaluations
    wanted = forward * one[0] + backward * one[1]
    assert meter.work == wanted + (own if own > 0.1 * wanted else 0)


# ------------------------------------------------------------------------------- settings, stop and resume


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"every": 5}, "every: expected window"),
        ({"window": 5, "every": 6}, "every: expected at most the window of 5 steps.*got 6"),
        ({"carry": True, "every": 80}, "every: expected at most the window of 50 steps.*got 80"),
        ({"window": 0}, "window: expected a value >= 1, got 0"),
        ({"window": 5, "every": 0}, "every: expected a value >= 1, got 0"),
        ({"carry": 3}, "carry: "),
    ],
)
def test_wrong_combinations_are_refused_in_words(settings, message):
    with pytest.raises(ConfigError, match=message):
        BPTT(**settings)


def test_a_loss_on_whole_sequences_is_not_cut_into_windows():
    problem = SimpleNamespace(network=Network(2, 3, hidden=2, loss="ctc"))
    with pytest.raises(ConfigError, match="ctc is a loss on whole sequences"):
        Windows(problem, None, 5, 5)


def test_earlier_runs_keep_what_they_stored():
    new = {"window", "every", "carry", "weight_decay", "warmup", "gradient_noise"}
    assert not new & set(BPTT().stored_values()) and new < set(BPTT().values())
    assert BPTT(window=20).stored_values()["window"] == 20


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 6, "every": 4},
        {"window": 6, "every": 4, "carry": True},
        {"window": 8, "carry": True, "warmup": 9, "gradient_noise": 0.01, "weight_decay": 0.1, "patience": 2},
    ],
)
def test_stop_and_resume_give_the_same_bytes(tmp_path, settings):
    network = Network(2, 1, cell="gru", hidden=3)
    train, valid = ragged(), series(30)
    strategy = BPTT(**{"batch_size": 3, **settings})

    def run(epochs, state=None):
        budget = Budget(generations=7)
        trainer = Trainer(strategy, Problem(network, train, valid), seed=4, budget=budget, state=state)
        for _ in range(epochs):
            trainer.step()
        return trainer.state()

    whole = run(7)
    save_tree(tmp_path / "half.npz", run(3))
    resumed = run(4, load_tree(tmp_path / "half.npz"))
    parts = [
        {**each, "seconds": None, "meter": {**each["meter"], "seconds": 0, "compile_seconds": 0}}
        for each in (whole, resumed)
    ]
    assert tree_bytes(parts[0]) == tree_bytes(parts[1])


def test_one_long_series_learns_in_fewer_epochs_with_the_state_carried():
    u = np.random.default_rng(0).uniform(-1, 1, (1, 800, 1))
    batch = Batch(u, np.roll(u, 2, axis=1), mask=np.arange(800)[None] >= 2)
    results = {}
    for carry in (False, True):
        network = Network(1, 1, cell="elman", hidden=6)
        results[carry] = BPTT(window=10, carry=carry).fit(network, batch, seed=0, budget="15gen")
    last = {carry: result.history["train_loss"][-1] for carry, result in results.items()}
    assert last[True] < 0.3 * last[False]
