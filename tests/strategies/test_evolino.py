"""Evolino: the solved readout and the free run against NumPy by hand, and two sines continued."""

import numpy as np
import pytest
import stand_in
from threadpoolctl import threadpool_limits

import evorrn
from evorrn import Batch, Evolino, Network, Problem
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.strategies.reservoir.ridge import ridge, ridge_each
from evorrn.testing import check_strategy
from evorrn.training.trainer import Trainer

STEPS, FREE = 60, 20  # steps of a series, and the first scored one


def network(**changes):
    return Network(**{"inputs": 1, "outputs": 1, "cell": "elman", "hidden": 5, "dtype": "float64", **changes})


def series(sequences=1, seed=0):
    """Return a wave with the next value as target, scored from step FREE on."""
    phases = np.random.default_rng(seed).uniform(0, 6, (sequences, 2, 1))
    time = np.arange(STEPS + 1)
    values = (np.sin(0.3 * time + phases[:, 0]) + np.sin(0.7 * time + phases[:, 1]))[:, :, None]
    mask = np.tile(np.arange(STEPS) >= FREE, (sequences, 1))
    return Batch(values[:, :-1], values[:, 1:], mask=mask)


def hidden_weights(net, count=4, seed=0):
    rng = np.random.default_rng(seed)
    size = sum(int(np.prod(shape)) for name, shape in net.blocks.items() if not name.startswith("readout"))
    return rng.uniform(-0.5, 0.5, (count, size))


def run_by_hand(net, genome, inputs, free_from=None):
    """Return states and outputs; from `free_from` on the last output replaces the input."""
    p, h, y = net.unpack(genome), np.zeros(net.hidden[0]), np.zeros(1)
    states, outputs = [], []
    for t, given in enumerate(inputs):
        x = y if free_from is not None and t >= free_from else given
        h = np.tanh(p["layer0.W_x"] @ x + p["layer0.W_h"] @ h + p["layer0.b"])
        y = p["readout.W"] @ h + p["readout.b"]
        states.append(h)
        outputs.append(y)
    return np.array(states), np.array(outputs)


# -------------------------------------------------------------------------------------------- solve


@pytest.mark.parametrize("direct", [False, True])
def test_the_readout_is_that_of_an_echo_state_network_with_the_same_hidden_weights(direct):
    net, batch, alpha = network(direct=direct), series(), 1e-4
    hidden = hidden_weights(net)
    networks, _ = Evolino(alpha=alpha, washout=0).evaluate(Problem(net, batch), hidden, None)
    for genome in networks:
        states, _ = run_by_hand(net, genome, batch.inputs[0])
        features = states[FREE:]
        if direct:
            features = np.column_stack([batch.inputs[0, FREE:], features])
        rows, deviation = len(features), features.std(axis=0)
        top = np.column_stack([features, np.ones(rows)])
        penalty = np.sqrt(alpha * rows) * np.diag(np.append(deviation, 0.0))
        truth = np.vstack([batch.targets[0, FREE:], np.zeros((len(penalty), 1))])
        solved = np.linalg.lstsq(np.vstack([top, penalty]), truth, rcond=None)[0][:, 0]
        p = net.unpack(genome)
        parts = [p["readout.W_x"][0]] if direct else []
        np.testing.assert_allclose(
            np.concatenate([*parts, p["readout.W"][0], p["readout.b"]]), solved, rtol=1e-6, atol=1e-9
        )
    np.testing.assert_array_equal(networks[:, : hidden.shape[1]], hidden)


def test_many_solves_are_those_of_one_at_a_time():
    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((3, 50, 4)) + 2, rng.standard_normal((50, 2))
    weights, bias, work = ridge_each(features, targets, 1e-3)
    single = [ridge(each, targets, (1e-3,)) for each in features]
    np.testing.assert_allclose(weights, [fit.weights for fit in single], rtol=1e-10)
    np.testing.assert_allclose(bias, [fit.bias for fit in single], rtol=1e-10)
    assert work == 3 * (50 * 4 * (4 + 2) + 4**3 // 3 + 4**2 * 2)


def test_silent_states_and_equal_ones_leave_the_best_constant():
    """With a Gram matrix of rank 0 the readout is the mean of the targets."""
    net, batch = network(), series()
    hidden = hidden_weights(net) * 0
    networks, fitness = Evolino(alpha=1e-300).evaluate(Problem(net, batch), hidden, None)
    truth = batch.targets[batch.scored]
    np.testing.assert_allclose(networks[:, -1], truth.mean())
    np.testing.assert_allclose(fitness, -truth.var())


def test_no_candidate_is_worse_than_the_best_constant():
    net, batch = network(), series()
    _, fitness = Evolino(washout=0).evaluate(Problem(net, batch), 4 * hidden_weights(net, 30), None)
    assert (-fitness < batch.targets[batch.scored].var()).all()


def test_networks_with_diverging_states_are_the_worst_and_do_not_affect_others():
    net, batch = network(cell_options={"activation": "identity"}), series()
    hidden = hidden_weights(net)
    whole, sane = Evolino().evaluate(Problem(net, batch), hidden, None)
    mixed = np.concatenate([hidden[:2], 1e9 * hidden[:1], hidden[2:]])
    networks, fitness = Evolino().evaluate(Problem(net, batch), mixed, None)
    assert fitness[2] == -np.inf
    np.testing.assert_array_equal(fitness[[0, 1, 3, 4]], sane)
    np.testing.assert_array_equal(networks[[0, 1, 3, 4]], whole)


def test_classes_get_logits():
    values = np.random.default_rng(0).standard_normal((6, 30, 1))
    batch = Batch(values, (values[:, :, 0] > 0).astype(int))
    net = network(outputs=2, loss="cross-entropy")
    _, fitness = Evolino(washout=0).evaluate(Problem(net, batch), hidden_weights(net), None)
    assert (-fitness < 0.5 * np.log(2)).all()


# ----------------------------------------------------------------------------------------- free run


def test_fitness_is_that_of_a_free_run_where_the_task_is_one():
    """The state goes on from the washout, and the last output replaces the input."""
    net, batch = network(), series(sequences=2)
    problem = Problem(net, batch, free_run=True)
    networks, fitness = Evolino().evaluate(problem, hidden_weights(net), None)
    for genome, value in zip(networks, fitness):
        errors = [
            run_by_hand(net, genome, batch.inputs[k], free_from=FREE)[1][FREE:] - batch.targets[k, FREE:]
            for k in range(2)
        ]
        assert value == pytest.approx(-np.mean(np.square(errors)), rel=1e-9)
    plain = Evolino().evaluate(Problem(net, batch), hidden_weights(net), None)[1]
    assert (plain > fitness).all()


def test_a_free_run_sees_no_input_behind_its_beginning():
    """True input values from the first scored step on have no effect."""
    net, batch = network(), series()
    genomes = net.init_many(np.random.default_rng(0), 3)
    inputs = np.array(batch.inputs)
    inputs[:, FREE:] = 1e3
    fouled = Batch(inputs, batch.targets, mask=batch.scored)
    free = [Problem(net, data).fitness(genomes, free_run=True) for data in (batch, fouled)]
    forced = [Problem(net, data).fitness(genomes) for data in (batch, fouled)]
    np.testing.assert_array_equal(free[0], free[1])
    assert (forced[0] != forced[1]).all()


def test_networks_that_see_their_output_are_fitted_on_the_true_one_and_evaluated_on_their_own():
    net, batch = network(feedback=True), series()
    hidden = hidden_weights(net)
    problem = Problem(net, batch)
    networks, fitness = Evolino(washout=0, alpha=1e-6).evaluate(problem, hidden, None)
    states = problem.states(networks[0], teacher=True)[0, FREE:]
    p = net.unpack(networks[0])
    fitted = states @ p["readout.W"][0] + p["readout.b"]
    error = fitted - batch.targets[0, FREE:, 0]
    np.testing.assert_allclose([error.mean(), *(states.T @ error)], 0, atol=1e-2)  # the normal equations
    own = (
        net.predict(networks[0], batch.inputs, teacher=net.warm_up(batch))[0, FREE:, 0]
        - batch.targets[0, FREE:, 0]
    )
    assert fitness[0] == pytest.approx(-np.mean(own**2))
    assert np.mean(own**2) > np.mean(error**2)


# ----------------------------------------------------------------------------------------- promises


@pytest.mark.parametrize(
    "settings", [{}, {"sequences": 1, "finalists": 2, "restart_after": 1, "weight_decay": 0.1}]
)
def test_the_contract_is_kept(settings):
    strategy = Evolino(population=4, trials=2, **settings)
    check_strategy(strategy, lambda: Problem(network(), series(3), series(3, 1), free_run=True))


def test_work_is_that_of_two_passes_and_the_solve():
    net, batch = network(), series()
    problem = Problem(net, batch)
    strategy = Evolino(population=4, trials=2)
    strategy.step(problem, strategy.start(problem, np.random.default_rng(0)))
    rows, width = STEPS - FREE, 5
    solve = rows * width * (width + 1) + width**3 // 3 + width**2
    assert problem.meter.evaluations == 8
    assert problem.meter.work == 8 * (2 * net.forward_work(batch) + solve)
    assert problem.meter.steps_forward == 8 * 2 * STEPS


@pytest.mark.parametrize("sequences", [1, 40])
def test_threads_change_no_bit(sequences):
    """With one sequence the threads share the candidates, with many the sequences of each."""
    net, batch = network(), series(sequences)
    found = []
    for threads in (1, 2):
        evorrn.set_threads(threads)
        with threadpool_limits(threads):
            found.append(Evolino().evaluate(Problem(net, batch, free_run=True), hidden_weights(net, 7), None))
    evorrn.set_threads(2)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_states_of_a_population_are_those_of_each():
    net, batch = network(cell="elman"), series(3)
    genomes = net.init_many(np.random.default_rng(0), 5)
    problem = Problem(net, batch)
    states = problem.population_states(genomes, [2, 0])
    assert problem.meter.work == 5 * net.forward_work(batch.take([2, 0])) and problem.meter.evaluations == 0
    for genome, each in zip(genomes, states):
        np.testing.assert_array_equal(each, problem.states(genome)[[2, 0]])


def test_cells_are_what_evolves_gates_and_all():
    net = Network(1, 1, cell="lstm", hidden=3, dtype="float64")
    strategy = Evolino(population=5, trials=1)
    state = strategy.start(Problem(net, series()), np.random.default_rng(0))
    assert state["method"]["draws"].shape[1] == 3  # no sub-population for the readout
    assert np.bincount(state["method"]["owner"]).tolist() == [4 * (1 + 3 + 1)] * 3
    blocks = net.unpack(np.append(state["method"]["neurons"][1], np.zeros(4)))
    assert np.abs(blocks["layer0.W_i"]).max() <= 0.01
    assert 0 <= blocks["layer0.b_f"].min() <= blocks["layer0.b_f"].max() <= 2


def test_what_cannot_be_solved_is_refused():
    class Blind(Problem):
        provides = frozenset({"fitness", "sequence_losses"})

    blind = Blind(stand_in.LinearNetwork(), stand_in.batch())
    with pytest.raises(EvorrnError, match="evolino: needs a problem that provides states, targets"):
        Trainer(Evolino(), blind, seed=0, budget=evorrn.Budget(generations=1))
    with pytest.raises(ConfigError, match="evolino: needs a problem that provides states, targets"):
        Evolino().start(blind, np.random.default_rng(0))
    labelled = Batch(np.zeros((1, 3, 1)), np.zeros((1, 3), dtype=int))
    logits = network(outputs=2, loss="cross-entropy", feedback=True, fed_back="output")
    with pytest.raises(ConfigError, match="needs the loss mse"):
        Evolino().start(Problem(logits, labelled), np.random.default_rng(0))


@pytest.mark.thorough
def test_two_sines_go_on_in_a_free_run():
    """The published generalisation of two sines with ten cells is an NRMSE of 4.15e-3; trivial ones are near 1."""
    task = evorrn.task("sines", waves=2)
    splits = task.data(0)
    truth, scored = splits.test.targets, splits.test.scored
    trivial = [
        np.sqrt(np.mean((task.baselines(splits)[name] - truth)[scored] ** 2)) / truth[scored].std()
        for name in ("mean", "persistence")
    ]
    assert min(trivial) > 0.9
    found = Evolino().fit(
        Network.for_task(task, cell="lstm", hidden=10, dtype="float64"), task, seed=0, budget="2000eval"
    )
    assert found.metrics["test"]["nrmse_std"] < 0.01


def test_more_sequences_than_a_small_population_needs_at_once():
    """Part of the sequences and one genome in a block: a block of one has nothing to share among threads."""
    rng = np.random.default_rng(0)
    batch = Batch(rng.normal(size=(5, 12, 1)), rng.normal(size=(5, 12, 1)))
    network = Network(1, 1, cell="lstm", hidden=3)
    result = Evolino(population=6, sequences=3).fit(network, batch, seed=0, budget="2gen")
    assert np.isfinite(result.metrics["train"]["rmse"])
