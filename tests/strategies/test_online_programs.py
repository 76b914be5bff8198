"""Learning online by compiled programs: long runs of SnAp-1 and others, and of RTRL, whose weights change states of all units."""

import numpy as np
import pytest
from chains import CHAINS

import evorrn
from evorrn import RTRL, Batch, Budget, EProp, Network, Problem, SnAp
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.strategies.online import influence as rule
from evorrn.training.trainer import Trainer

NEVER = 1e99


def ragged(network, sequences, steps, seed=0):
    """Return sequences of different lengths, whose steps are scored at random."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    mask = rng.random((sequences, steps)) < 0.7
    mask[np.arange(sequences), lengths - 1] = True
    targets = rng.random((sequences, steps, network.outputs))
    if network.loss_function.labels:
        targets = rng.integers(0, network.outputs, (sequences, steps))
    x = rng.standard_normal((sequences, steps, network.inputs))
    return Batch(x, targets, mask=mask, lengths=lengths)


def both_ways(strategy, network, batch, monkeypatch, seed=0):
    """Return loss and gradient by a program and by kernels for any pattern, and whether there is a program."""
    genome, found = network.init(seed=seed), []
    for least in (0, NEVER):
        monkeypatch.setattr(rule, "LONG", least)
        found.append(strategy.gradient(Problem(network, batch), genome, np.random.default_rng(0)))
    monkeypatch.setattr(rule, "LONG", 0)
    programs = strategy.estimator(Problem(network, batch), None).program(1) is not None
    return *found, programs


def agree(one, other, tolerance=1e-9):
    assert one[0] == pytest.approx(other[0], rel=tolerance)
    np.testing.assert_allclose(one[1], other[1], rtol=tolerance, atol=tolerance * np.abs(other[1]).max())


@pytest.mark.parametrize("seed", range(8))
def test_programs_equal_the_kernels_for_any_pattern_at_random_sizes(seed, monkeypatch):
    """One unit, one step, several inputs and outputs, ragged sequences, chunks that end anywhere."""
    rng = np.random.default_rng(seed)
    inputs, outputs, hidden = rng.integers(1, 4), rng.integers(1, 4), (1, 2, 7, 8, 9, 17, 40, 3)[seed]
    network = Network(int(inputs), int(outputs), cell="elman", hidden=hidden, dtype="float64")
    batch = ragged(network, int(rng.integers(1, 6)), (1, 9, 30, 70, 2, 25, 300, 40)[seed], seed)
    strategy = SnAp(update_every=int(rng.integers(1, 60)))
    one, other, programs = both_ways(strategy, network, batch, monkeypatch, seed)
    assert programs
    agree(one, other)


@pytest.mark.parametrize("hidden, sequences, steps", [(1, 1, 1), (5, 3, 11), (33, 2, 150)])
def test_rtrl_of_units_that_see_their_own_past_equals_backpropagation_by_a_program(
    hidden, sequences, steps, monkeypatch
):
    monkeypatch.setattr(rule, "LONG", 0)
    network = Network(2, 2, cell="indrnn", hidden=hidden, dtype="float64")
    batch, genome = ragged(network, sequences, steps), network.init(seed=1)
    strategy, problem = RTRL(update_every=steps), Problem(network, batch)
    assert strategy.estimator(problem, None).program(1)
    agree(strategy.gradient(problem, genome, None), network.loss_and_gradient(genome, batch))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_rtrl_by_a_program_equals_backpropagation_at_random_sizes(cell, seed, monkeypatch):
    """One unit, one step, several inputs and outputs, ragged sequences, records of one chunk and of several."""
    rng = np.random.default_rng(seed)
    inputs, outputs, hidden = rng.integers(1, 4), rng.integers(1, 4), (1, 3, 17, 33, 5, 16, 8, 20, 2)[seed]
    dtype = "float32" if seed == 5 else "float64"
    network = Network(int(inputs), int(outputs), cell=cell, hidden=hidden, dtype=dtype)
    batch = ragged(network, int(rng.integers(1, 5)), (1, 9, 30, 70, 2, 25, 300, 40, 90)[seed], seed)
    genome, problem = network.init(seed=seed), Problem(network, batch)
    monkeypatch.setattr(rule, "LONG", 0)
    monkeypatch.setattr("evorrn.engine.influence.dense.MOST_NUMBERS", int(rng.integers(1, 40)) * hidden**2)
    strategy = RTRL(update_every=batch.inputs.shape[1])
    assert strategy.estimator(problem, None).program(1)
    found = strategy.gradient(problem, genome, None)
    agree(found, network.loss_and_gradient(genome, batch), 1e-9 if dtype == "float64" else 1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("cell", CHAINS)
def test_rtrl_by_a_program_equals_backpropagation_for_every_cell_that_has_one(cell, monkeypatch):
    monkeypatch.setattr(rule, "LONG", 0)
    network = Network(2, 3, cell=cell, hidden=5, dtype="float64")
    batch, genome, strategy = ragged(network, 3, 9), network.init(seed=0), RTRL(update_every=9)
    problem = Problem(network, batch)
    if strategy.refusals(problem) or not strategy.estimator(problem, None).program(1):
        pytest.skip(f"the derivatives of {cell} take many directions, or it reads its last outputs")
    agree(strategy.gradient(problem, genome, None), network.loss_and_gradient(genome, batch))


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", [SnAp(update_every=5), EProp(update_every=5, feedback="random")])
@pytest.mark.parametrize("cell", CHAINS)
def test_programs_equal_the_kernels_for_any_pattern_for_every_cell_that_has_one(cell, strategy, monkeypatch):
    monkeypatch.setattr(rule, "LONG", 0)
    network = Network(2, 3, cell=cell, hidden=5, dtype="float64")
    batch = ragged(network, 3, 9)
    problem = Problem(network, batch)
    if strategy.refusals(problem) or not strategy.estimator(problem, None).program(1):
        pytest.skip(f"the derivatives of {cell} take many directions, or it reads its last outputs")
    one, other, _ = both_ways(strategy, network, batch, monkeypatch)
    agree(one, other)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options, strategy",
    [
        ({"cell": "elman", "hidden": (6, 3)}, EProp(update_every=4)),
        ({"cell": "lstm", "hidden": (4, 9), "reads": "all"}, EProp(update_every=4)),
        ({"cell": "gru", "hidden": 10, "direct": True, "loss": "cross-entropy"}, SnAp(update_every=4)),
        (
            {"cell": "lstm", "hidden": 10, "biases": False, "loss": "binary-cross-entropy"},
            SnAp(update_every=4),
        ),
        ({"cell": "lstm-peephole", "hidden": 7, "dtype": "float32"}, SnAp(update_every=4)),
        ({"cell": "indrnn", "hidden": (13, 9)}, RTRL(update_every=4)),
        ({"cell": "lstm", "hidden": (4, 9), "reads": "all"}, SnAp(update_every=4, order=2)),
        ({"cell": "elman", "hidden": 12, "dtype": "float32", "biases": False}, RTRL(update_every=4)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_programs_equal_the_kernels_for_layers_readouts_and_losses(options, strategy, monkeypatch):
    network = Network(2, 3, **{"dtype": "float64", **options})
    one, other, programs = both_ways(strategy, network, ragged(network, 4, 30), monkeypatch)
    assert programs == isinstance(
        options["hidden"], int
    )  # each unit of a second layer takes a direction of its own
    agree(one, other, 1e-9 if network.dtype == np.float64 else 1e-5)


def test_sizes_alone_decide_whether_there_is_a_program():
    network = Network(1, 1, cell="elman", hidden=16)
    short, long = (Batch(np.ones((1, steps, 1)), np.ones((1, steps, 1))) for steps in (50, 5000))
    estimators = [SnAp().estimator(Problem(network, batch), None) for batch in (short, long)]
    assert estimators[0].program(50) is None
    assert estimators[1].program(5000) is not None
    assert RTRL().estimator(Problem(network, short), None).program(50) is None
    assert RTRL().estimator(Problem(network, long), None).program(5000) is not None
    feeding = Network(1, 1, cell="jordan", hidden=16)
    assert RTRL().estimator(Problem(feeding, long), None).program(5000) is None  # reads its last outputs


def trained(epochs, state=None, threads=2, rule=SnAp):
    """Return the bytes of a trainer's state, without its times, after some epochs, and the state."""
    network = Network(2, 1, cell="elman", hidden=9, dtype="float64")
    problem = Problem(network, ragged(network, 5, 40), ragged(network, 2, 9, seed=1))
    evorrn.set_threads(threads)
    try:
        strategy = rule(batch_size=3, update_every=7)
        trainer = Trainer(strategy, problem, seed=4, budget=Budget(generations=9), state=state)
        for _ in range(epochs):
            trainer.step()
    finally:
        evorrn.set_threads(2)
    found = trainer.state()
    meter = {**found["meter"], "seconds": 0, "compile_seconds": 0}
    return tree_bytes({**found, "seconds": None, "meter": meter}), found


@pytest.mark.parametrize("strategy", [SnAp, pytest.param(RTRL, marks=pytest.mark.thorough)])
def test_programs_give_the_same_bytes_after_a_stop_and_for_any_number_of_threads(
    strategy, tmp_path, monkeypatch
):
    monkeypatch.setattr(rule, "LONG", 0)
    for module in ("along", "dense", "groups"):
        monkeypatch.setattr(f"evorrn.engine.influence.{module}.WORTH_SHARING", 0)
    whole, _ = trained(3, rule=strategy)
    assert trained(3, threads=1, rule=strategy)[0] == whole == trained(3, threads=3, rule=strategy)[0]
    save_tree(tmp_path / "half.npz", trained(1, rule=strategy)[1])
    assert trained(2, load_tree(tmp_path / "half.npz"), rule=strategy)[0] == whole


def test_training_by_a_program_goes_on_after_weights_under_which_the_network_diverges(monkeypatch):
    monkeypatch.setattr(rule, "LONG", 0)
    network = Network(2, 1, cell="elman", hidden=4, dtype="float64")
    batch, genome = ragged(network, 2, 30), network.init(seed=0)
    updates = list(
        SnAp(update_every=5, batch_size=0)._gradients(Problem(network, batch), np.random.default_rng(0))
    )
    assert not np.isfinite(updates[0][0](np.full_like(genome, np.nan))[1]).all()
    assert np.isfinite(updates[1][0](genome)[1]).all()
