"""Learning online: gradients that are carried forward in time, beside backpropagation and loops by hand."""

import numpy as np
import pytest
from chains import CHAINS

import evorrn
from evorrn import KFRTRL, RFLO, RTRL, UORO, Batch, BlockRTRL, Budget, EProp, Network, Problem, SnAp
from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.strategies.online import stream as stream_module
from evorrn.training.trainer import Trainer

METHODS = [RTRL, SnAp, BlockRTRL, UORO, KFRTRL, EProp, RFLO]
EXACT = {
    "rtrl": RTRL(update_every=99),
    "snap at full pattern": SnAp(order=99, update_every=99),
    "blocks of one step": BlockRTRL(block=1, update_every=99),
    "blocks of three": BlockRTRL(block=3, update_every=99),
}
METHODS_THAT_ARE_EXACT = [
    name if name in ("rtrl", "blocks of three") else pytest.param(name, marks=pytest.mark.thorough)
    for name in EXACT
]
SMALL = {
    "dnc": {"N": 3, "M": 2, "R": 1},
    "ntm": {"N": 4, "M": 3},
    "ntm-feed-forward": {"N": 4, "M": 3},
    "pushdown": {"T": 4, "M": 3},
    "pushdown-automaton": {"T": 4},
    "stack": {"D": 4},
}
QUICK = ("elman", "lstm", "gru-reset-before", "indrnn", "jordan")


def ragged(network, sequences=4, steps=7, seed=0):
    """Return sequences of different lengths, whose steps are scored at random."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    mask = rng.random((sequences, steps)) < 0.7
    mask[0, :2], mask[np.arange(sequences), lengths - 1] = False, True
    targets = rng.random((sequences, steps, network.outputs))
    if network.loss_function.labels:
        targets = rng.integers(0, network.outputs, (sequences, steps))
    x = rng.standard_normal((sequences, steps, network.inputs))
    return Batch(x, targets, mask=mask, lengths=lengths)


def of(strategy, problem, genome, rng=None):
    """Return loss and gradient of the whole training data: the mean over the chunks."""
    assert not strategy.refusals(problem)
    return strategy.gradient(problem, genome, rng)


def check(network, strategy, seed=0, **data):
    batch = ragged(network, seed=seed, **data)
    genome = network.init(seed=seed)
    loss, gradient = network.loss_and_gradient(genome, batch)
    found = of(strategy, Problem(network, batch), genome)
    assert found[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS_THAT_ARE_EXACT)
@pytest.mark.parametrize(
    "cell", [c if c in QUICK else pytest.param(c, marks=pytest.mark.thorough) for c in CHAINS]
)
def test_exact_methods_equal_backpropagation_for_every_cell(cell, method):
    network = Network(2, 2, cell=cell, hidden=3, dtype="float64", cell_options=SMALL.get(cell, {}))
    check(network, EXACT[method])


@pytest.mark.parametrize("method", METHODS_THAT_ARE_EXACT)
@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "hidden": (3, 2), "direct": True},
        {"cell": "gru", "hidden": (2, 3), "reads": "all", "loss": "cross-entropy"},
        {"cell": "elman", "hidden": 3, "feedback": True},
        {"cell": "elman", "hidden": 3, "feedback": True, "loss": "binary-cross-entropy"},
        {"cell": "gru", "hidden": 3, "feedback": True, "loss": "cross-entropy"},
        {"cell": "clockwork", "hidden": 5, "learn_start": True, "biases": False},
    ],
)
def test_exact_methods_equal_backpropagation_for_layers_feedback_and_other_losses(options, method):
    check(Network(2, 3, dtype="float64", **options), EXACT[method], seed=3, sequences=3, steps=9)
    check(Network(2, 3, dtype="float64", **options), EXACT[method], seed=4, sequences=1, steps=1)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "elman", "hidden": 20},
        {"cell": "lstm", "hidden": (9, 6), "reads": "all"},
        pytest.param({"cell": "gru-reset-before", "hidden": 7, "feedback": True}, marks=pytest.mark.thorough),
        pytest.param({"cell": "clockwork", "hidden": 11}, marks=pytest.mark.thorough),
        pytest.param({"cell": "indrnn", "hidden": (13, 9)}, marks=pytest.mark.thorough),
    ],
    ids=lambda options: f"{options['cell']} {options['hidden']}",
)
def test_influences_of_many_rows_and_lanes_equal_backpropagation(options):
    """More states than a trace is kept for, more weights than a tile has lanes, sequences that end at different steps."""
    check(Network(3, 2, dtype="float64", **options), RTRL(update_every=99), seed=6, sequences=3, steps=11)
    single = Network(3, 2, **options)
    batch, genome = ragged(single, 3, 11, seed=6), single.init(seed=6)
    loss, gradient = single.loss_and_gradient(genome, batch)
    found = of(RTRL(update_every=99), Problem(single, batch), genome)
    assert found[0] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(found[1], gradient, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize(
    "strategy", [RTRL(update_every=99), SnAp(order=1, update_every=99)], ids=lambda s: s.name
)
def test_a_long_influence_has_the_same_bytes_for_any_number_of_threads(strategy):
    network = Network(2, 1, cell="lstm", hidden=24)
    problem, genome = Problem(network, ragged(network, 2, 40)), network.init(seed=1)
    found = []
    for threads in (1, 2, 3):
        evorrn.set_threads(threads)
        found.append(of(strategy, problem, genome)[1].tobytes())
    evorrn.set_threads(2)
    assert len(set(found)) == 1


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("strategy", [RTRL(), SnAp(order=9), BlockRTRL(block=2)], ids=lambda s: s.name)
def test_the_gradients_of_chunks_add_up_to_that_of_the_whole(strategy, every, monkeypatch):
    monkeypatch.setattr(stream_module, "MOST_NUMBERS", 1)  # one time step after the other
    network = Network(2, 2, cell="gru", hidden=(3, 2), dtype="float64")
    check(network, type(strategy)(**{**strategy.values(), "update_every": every}), sequences=5, steps=11)


def test_recurrences_without_products_have_a_part_of_the_influence_for_each_unit():
    network = Network(2, 1, cell="indrnn", hidden=50)
    (stack,) = RTRL().estimator(Problem(network, ragged(network)), None)._influence.stacks
    assert stack.rows.shape == (50, 1) and stack.weights.shape == (50, 4)
    assert len(network.step_structure.pattern.directions) == 1


def elman(**options):
    return Network(2, 1, **{"cell": "elman", "hidden": 4, "dtype": "float64", **options})


def traces(network, genome, batch, leak, kept, feedback=None):
    """Return the gradient of a leaky network by loops: traces of each unit alone, with a decay ``kept(slope, unit)``."""
    w = {name.split(".")[-1] if "layer" in name else name: v for name, v in network.unpack(genome).items()}
    g = {name: np.zeros_like(v) for name, v in w.items()}
    back = w["readout.W"] if feedback is None else feedback
    for b in range(batch.size):
        h, trace = np.zeros(network.hidden[0]), np.zeros((network.hidden[0], 7))
        for t in range(batch.lengths[b]):
            z = np.concatenate([batch.inputs[b, t], h, [1.0]])
            value = np.tanh(w["W_x"] @ z[:2] + w["W_h"] @ h + w["b"])
            slope = leak * (1 - value**2)
            trace = kept(slope, w["W_h"])[:, None] * trace + slope[:, None] * z
            h = (1 - leak) * h + leak * value
            if batch.scored[b, t]:
                error = 2 * (w["readout.W"] @ h + w["readout.b"] - batch.targets[b, t]) / batch.scored.sum()
                g["readout.W"] += np.outer(error, h)
                g["readout.b"] += error
                change = (back.T @ error)[:, None] * trace
                g["W_x"] += change[:, :2]
                g["W_h"] += change[:, 2:6]
                g["b"] += change[:, 6]
    return np.concatenate([v.ravel() for v in g.values()])


def test_snap_1_of_an_elman_network_is_one_trace_a_weight():
    network = elman()
    batch, genome = ragged(network), network.init(seed=1)
    by_hand = traces(network, genome, batch, 1.0, lambda slope, w: slope * np.diag(w))
    np.testing.assert_allclose(
        of(SnAp(), Problem(network, batch), genome)[1], by_hand, rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
@pytest.mark.parametrize("method", [EProp, RFLO])
def test_eligibilities_of_leaky_units_decay_with_the_leak(method, feedback):
    network = elman(cell="leaky", cell_options={"leak": 0.3})
    batch, genome = ragged(network), network.init(seed=1)
    strategy, problem = method(feedback=feedback), Problem(network, batch)
    weights = strategy.feedback_weights(problem)
    assert (weights is None) == (feedback == "symmetric")
    by_hand = traces(network, genome, batch, 0.3, lambda slope, w: np.full(len(slope), 0.7), weights)
    np.testing.assert_allclose(of(strategy, problem, genome)[1], by_hand, rtol=1e-10, atol=1e-13)


def test_e_prop_is_exact_where_units_see_only_their_own_past():
    check(Network(2, 2, cell="indrnn", hidden=4, dtype="float64"), EProp(update_every=99))


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "elman", "hidden": 3},
        pytest.param({"cell": "lstm", "hidden": (2, 2)}, marks=pytest.mark.thorough),
    ],
)
@pytest.mark.parametrize("method", [UORO, KFRTRL])
def test_random_methods_are_unbiased_within_their_standard_error(method, options):
    network = Network(2, 2, dtype="float64", **options)
    rng, problem = np.random.default_rng(5), Problem(network, ragged(network, 2, 5))
    genome = network.init(seed=1)
    exact = network.loss_and_gradient(genome, problem.train)[1]
    drawn = np.array([of(method(update_every=2), problem, genome, rng)[1] for _ in range(120)])
    # All losses lie in one sum, so deviations of genes are far from independent: a bound for the largest of them.
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact) <= 5 * error + 1e-9).all()
    assert drawn.std(axis=0).max() > 1e-3


def test_kf_rtrl_has_less_noise_than_uoro():
    network, spread = elman(), {}
    batch, genome = ragged(network, steps=20), network.init(seed=1)
    for method in (UORO, KFRTRL):
        rng = np.random.default_rng(0)
        drawn = [of(method(update_every=5), Problem(network, batch), genome, rng)[1] for _ in range(30)]
        spread[method] = np.std(drawn, axis=0).mean()
    assert spread[KFRTRL] < spread[UORO]


def trained(strategy, epochs, state=None, threads=2, cell="leaky", hidden=4):
    """Return the state of a trainer after some epochs."""
    network = Network(2, 1, cell=cell, hidden=hidden)
    problem = Problem(network, ragged(network, 5, 12), ragged(network, 2, 9, seed=1))
    evorrn.set_threads(threads)
    try:
        trainer = Trainer(strategy, problem, seed=4, budget=Budget(generations=9), state=state)
        for _ in range(epochs):
            trainer.step()
    finally:
        evorrn.set_threads(2)
    return trainer.state()


def timeless(state):
    """Return the bytes of a trainer's state without its times."""
    meter = {**state["meter"], "seconds": 0, "compile_seconds": 0}
    return tree_bytes({**state, "seconds": None, "meter": meter})


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_the_same_seed_gives_the_same_bytes_after_a_stop_and_with_any_number_of_threads(method, tmp_path):
    strategy = method(batch_size=3, update_every=4)
    whole = timeless(trained(strategy, 3))
    assert timeless(trained(strategy, 3, threads=1)) == whole
    save_tree(tmp_path / "half.npz", trained(strategy, 1))
    assert timeless(trained(strategy, 2, load_tree(tmp_path / "half.npz"))) == whole


def test_a_time_step_costs_what_its_influence_costs():
    works = {}
    for hidden in (8, 16, 32):
        for cell, method in (("elman", RTRL), ("elman", SnAp), ("elman", BlockRTRL), ("indrnn", RTRL)):
            network = Network(1, 1, cell=cell, hidden=hidden)
            problem = Problem(network, Batch(np.ones((1, 64, 1)), np.ones((1, 64, 1))))
            of(method(update_every=64), problem, network.init(seed=0))
            works[cell, method.name, hidden] = problem.meter.work
            assert problem.meter.steps_forward == 64
    slopes = {
        key[:2]: np.log2(works[(*key[:2], 32)] / works[(*key[:2], 16)]) for key in works if key[2] == 16
    }
    assert 3.7 < slopes["elman", "rtrl"] < 4  # S squared times n
    assert 2.6 < slopes["elman", "block-rtrl"] < 3.1  # S times n
    assert 1.6 < slopes["elman", "snap"] < 2.1  # n
    assert 0.8 < slopes["indrnn", "rtrl"] < 1.1  # n, which is the number of units times that of inputs


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_losses_without_time_steps_are_refused_with_what_serves(method):
    network = Network(2, 3, cell="elman", hidden=3, loss="ctc")
    batch = Batch(np.ones((2, 6, 2)), np.array([[1, 2], [2, 0]]), target_lengths=[2, 1])
    with pytest.raises(
        ConfigError, match=f"{method.name} needs a loss that is a sum over time steps.*bptt trains on it"
    ):
        method().fit(network, batch, budget="1gen")


def test_networks_that_are_no_chain_are_refused_with_what_serves():
    both = Network(2, 1, cell="elman", hidden=3, bidirectional=True)
    batch = Batch(np.ones((2, 5, 2)), np.ones((2, 5, 1)))
    with pytest.raises(
        ConfigError, match=r"rtrl carries derivatives forward .* from the last to the first; bptt trains it"
    ):
        RTRL().fit(both, batch, budget="1gen")
    with pytest.raises(ConfigError, match="influence: this network sees a whole sequence"):
        both.influence(both.init(seed=0), batch.inputs)


def test_an_influence_beyond_the_memory_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr("evorrn.base.memory.installed", lambda: 2**20)
    network = Network(1, 1, cell="elman", hidden=100)
    batch = Batch(np.ones((1, 5, 1)), np.ones((1, 5, 1)))
    with pytest.raises(ConfigError, match=r"rtrl carries 1,020,000 numbers .* MiB.*snap or bptt"):
        RTRL().start(Problem(network, batch), np.random.default_rng(0))
    for fits in (SnAp(), UORO()):
        assert not fits.refusals(Problem(network, batch))
    sparse = Network(1, 1, cell="indrnn", hidden=1000)
    assert not RTRL().refusals(Problem(sparse, batch))


def test_what_local_methods_cannot_train_is_refused_with_what_serves():
    batch = Batch(np.ones((1, 5, 2)), np.ones((1, 5, 1)))
    for cell, method, serves in (
        ("lstm", RFLO, "e-prop trains it"),
        ("gru-reset-before", EProp, "snap, uoro and rtrl train it"),
        ("second-order", RFLO, "snap, uoro and rtrl train it"),
    ):
        with pytest.raises(ConfigError, match=f"{method.name} needs units .*{serves}"):
            method().fit(Network(2, 1, cell=cell, hidden=3), batch, budget="1gen")


def test_steps_without_a_loss_still_move_state_and_influence():
    network = elman()
    rng = np.random.default_rng(0)
    mask = np.zeros((2, 20), bool)
    mask[:, 17] = True
    batch = Batch(rng.standard_normal((2, 20, 2)), rng.standard_normal((2, 20, 1)), mask=mask)
    genome = network.init(seed=0)
    problem = Problem(network, batch)
    assert len(list(RTRL(update_every=3, batch_size=0)._gradients(problem, rng))) == 1
    loss, gradient = network.loss_and_gradient(genome, batch)
    found = of(RTRL(update_every=3), problem, genome)
    assert found[0] == pytest.approx(loss) and np.allclose(found[1], gradient, rtol=1e-10, atol=1e-13)


def test_training_goes_on_after_weights_under_which_the_network_diverges():
    network = elman(cell_options={"activation": "identity"})
    batch, genome = ragged(network, 2, 30), network.init(seed=0)
    updates = list(RTRL(update_every=5, batch_size=0)._gradients(Problem(network, batch), None))
    assert not np.isfinite(updates[0][0](genome * 1e200)[1]).all()
    assert np.isfinite(updates[1][0](genome)[1]).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_update_is_an_evaluation_so_that_a_budget_of_evaluations_ends(method):
    network = Network(2, 1, cell="leaky", hidden=3)
    x = np.random.default_rng(5).standard_normal((3, 7, 2))
    batch = Batch(x, x[..., :1], mask=np.arange(7)[None].repeat(3, 0) >= 3)
    strategy = method(
        update_every=2, batch_size=2
    )  # updates at the ends of 4, 6 and 7 steps, in two minibatches
    result = strategy.fit(network, batch, seed=0, budget=Budget(evaluations=13, generations=9))
    assert result.stopped_by == "evaluations"
    assert result.history["evaluations"].tolist() == [6, 12, 18]
