"""Levenberg-Marquardt and Hessian-free: their matrices by differences, their steps on quadratic losses, and refusals."""

import numpy as np
import pytest
from chains import CHAINS

from evorrn import (
    BPTT,
    EKF,
    REINFORCE,
    Batch,
    Chunker,
    HessianFree,
    LevenbergMarquardt,
    Network,
    Problem,
    RecurrentBackprop,
)
from evorrn.base.errors import ConfigError
from evorrn.strategies.gradient.hessian_free import GaussNewton, conjugate_gradients
from evorrn.strategies.gradient.levenberg_marquardt import normal_equations
from evorrn.strategies.gradient.restarting import targets_of
from evorrn.strategies.gradient.tangents import Tangent

BOTH = [LevenbergMarquardt, HessianFree]
SLOW = {"dnc", "ntm", "ntm-feed-forward", "pushdown", "pushdown-automaton", "stack", "lif"}


def ragged(loss, seed=0):
    rng = np.random.default_rng(seed)
    lengths, mask = np.array([6, 1, 4, 5]), rng.random((4, 6)) < 0.6
    mask[:, 0] = mask[0, 2] = True
    mask[3, :3] = False
    mask[3, 3] = True
    targets = {"mse": rng.standard_normal((4, 6, 3)), "cross-entropy": rng.integers(0, 3, (4, 6))}
    targets["binary-cross-entropy"] = rng.random((4, 6, 3))
    return Batch(rng.standard_normal((4, 6, 2)), targets[loss], mask=mask, lengths=lengths)


def by_differences(network, genome, batch):
    """Return the Jacobian (B, T, O, n) of all outputs by central differences."""
    teacher = network.warm_up(batch)
    columns = []
    for gene in range(network.size):
        move = 1e-5 * (np.arange(network.size) == gene)
        ahead, behind = (
            network.predict(genome + sign * move, batch.inputs, lengths=batch.lengths, teacher=teacher)
            for sign in (1, -1)
        )
        columns.append((ahead - behind) / 2e-5)
    return np.stack(columns, axis=-1)


def hessian_by_hand(network, outputs, batch):
    """Return the Hessian (O, O) of the mean loss by the outputs, for each scored step, and their Jacobian's places."""
    count, found = batch.scored.sum(), {}
    for b, t in np.argwhere(batch.scored):
        y = outputs[b, t]
        if network.loss_name == "mse":
            found[b, t] = 2 * np.eye(3) / (3 * count)
        elif network.loss_name == "cross-entropy":
            p = np.exp(y) / np.exp(y).sum()
            found[b, t] = (np.diag(p) - np.outer(p, p)) / count
        else:
            p = 1 / (1 + np.exp(-y))
            found[b, t] = np.diag(p * (1 - p)) / (3 * count)
    return found


CASES = [
    pytest.param("elman", "mse", {}, marks=pytest.mark.thorough),
    pytest.param("gru", "cross-entropy", {}, marks=pytest.mark.thorough),
    ("elman", "binary-cross-entropy", {"feedback": True}),
    ("elman", "mse", {"feedback": True}),
    ("elman", "cross-entropy", {"feedback": True, "learn_start": True}),
]


@pytest.mark.parametrize("cell, loss, options", CASES)
def test_the_gauss_newton_matrix_and_its_product_are_those_of_an_explicit_jacobian(cell, loss, options):
    network, batch = Network(2, 3, cell=cell, hidden=3, loss=loss, dtype="float64", **options), ragged(loss)
    genome = network.init(seed=1)
    teacher = network.warm_up(batch)
    outputs = network.predict(genome, batch.inputs, lengths=batch.lengths, teacher=teacher)
    jacobian = by_differences(network, genome, batch)
    wanted = sum(
        jacobian[place].T @ hessian @ jacobian[place]
        for place, hessian in hessian_by_hand(network, outputs, batch).items()
    )
    matrix, gradient = normal_equations(network, genome, batch, targets_of(Problem(network, batch)))
    np.testing.assert_allclose(matrix, wanted, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(gradient, network.loss_and_gradient(genome, batch)[1], rtol=1e-8, atol=1e-10)
    for vector in np.random.default_rng(2).standard_normal((2, network.size)):
        product = GaussNewton(network, genome, batch)(vector)
        np.testing.assert_allclose(product, wanted @ vector, rtol=1e-6, atol=1e-8)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in CHAINS if name not in SLOW])
def test_tangents_of_every_cell_fit_its_adjoint(name):
    network, batch = Network(2, 3, cell=name, hidden=4, dtype="float64"), ragged("mse")
    rng = np.random.default_rng(4)
    genome = network.init(rng=rng) + 0.1 * rng.standard_normal(network.size)
    direction, upon = rng.standard_normal(network.size), rng.standard_normal((4, 6, 3))
    inside = np.arange(6)[None, :, None] < batch.lengths[:, None, None]
    _, changes = Tangent(network, genome, batch).along(direction)
    given = {"lengths": batch.lengths, "teacher": network.warm_up(batch)}
    gradient = network.vjp(genome, batch.inputs, upon, **given)
    assert (changes * upon * inside).sum() == pytest.approx(gradient @ direction, rel=1e-9, abs=1e-9)


def linear(seed=0):
    """Return a problem whose loss is quadratic in the genes, and the best genome."""
    rng = np.random.default_rng(seed)
    network = Network(2, 2, cell="ng-rc", hidden=5, dtype="float64")
    batch = Batch(rng.standard_normal((2, 30, 2)), rng.standard_normal((2, 30, 2)))
    features = network.readout_states(network.init(seed=0), batch.inputs).reshape(60, -1)
    features = np.column_stack([features, np.ones(60)])
    weights = np.linalg.lstsq(features, batch.targets.reshape(60, 2), rcond=None)[0].T
    best = network.pack({"readout.W": weights[:, :-1], "readout.b": weights[:, -1]})
    return Problem(network, batch), best


def test_on_a_quadratic_loss_one_step_of_levenberg_marquardt_is_the_damped_newton_step():
    problem, best = linear()
    matrix, _ = normal_equations(problem.network, best, problem.train, targets_of(problem))
    for damping in (1e-9, 0.5):
        strategy = LevenbergMarquardt(damping=damping)
        state = strategy.start(problem, np.random.default_rng(0))
        after = strategy.step(problem, state)
        away = np.linalg.solve(matrix + damping * np.eye(len(best)), damping * (state["genome"] - best))
        np.testing.assert_allclose(after["genome"] - best, away, rtol=1e-6, atol=1e-8)


def test_on_a_quadratic_loss_conjugate_gradients_end_after_as_many_iterations_as_there_are_genes():
    """A step of Hessian-free is then the damped Newton step too."""
    problem, best = linear()
    matrix, _ = normal_equations(problem.network, best, problem.train, targets_of(problem))
    strategy = HessianFree(damping=0.01, iterations=problem.size + 2)
    state = strategy.start(problem, np.random.default_rng(0))
    after = strategy.step(problem, state)
    away = np.linalg.solve(matrix + 0.01 * np.eye(len(best)), 0.01 * (state["genome"] - best))
    np.testing.assert_allclose(after["genome"] - best, away, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size, kinds", [(1, 1), (8, 8), (20, 3)])
def test_conjugate_gradients_need_one_iteration_for_each_eigenvalue(size, kinds):
    rng = np.random.default_rng(size)
    basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
    matrix = basis * (1 + np.arange(size) % kinds) @ basis.T
    right = rng.standard_normal(size)
    found = conjugate_gradients(lambda v: matrix @ v, right, np.zeros(size), kinds)
    np.testing.assert_allclose(found.solution, np.linalg.solve(matrix, right), rtol=1e-8, atol=1e-10)
    if kinds > 1:
        short = conjugate_gradients(lambda v: matrix @ v, right, np.zeros(size), kinds - 1)
        assert np.abs(matrix @ short.solution - right).max() > 1e-6


@pytest.mark.parametrize("kind", BOTH)
def test_the_training_loss_never_rises_and_falls_further_than_by_gradients_in_as_many_steps(kind):
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((3, 12, 1))
    targets = np.zeros_like(inputs)
    targets[:, 2:] = inputs[:, :-2] * inputs[:, 1:-1]
    network, batch = Network(1, 1, hidden=6, dtype="float64"), Batch(inputs, targets)
    losses = kind(restarts=0, patience=0).fit(network, batch, budget="8gen", seed=2).history["train_loss"]
    assert (np.diff(losses) <= 0).all()
    by_gradient = BPTT(batch_size=0).fit(network, batch, budget="8gen", seed=2).history["train_loss"]
    assert losses[-1] < 0.5 * by_gradient[-1]


def test_damping_grows_until_a_step_improves_the_loss():
    network, batch = Network(2, 3, hidden=4), ragged("mse", 3)
    found = LevenbergMarquardt(damping=1e-9).fit(network, batch, budget="30gen").history
    assert found["attempts"].max() > 1 and np.isfinite(found["train_loss"]).all()


@pytest.mark.parametrize("kind", BOTH)
def test_losses_of_whole_sequences_are_refused(kind):
    network = Network(2, 3, hidden=3, loss="ctc")
    batch = Batch(np.zeros((1, 5, 2)), [[1]], target_lengths=[1])
    with pytest.raises(ConfigError, match="which bptt and evolution serve"):
        kind().fit(network, batch, budget="1gen")


def test_a_matrix_that_does_not_fit_into_memory_is_refused_with_what_serves():
    problem = Problem(Network(1, 1, hidden=1500), Batch(np.zeros((1, 3, 1)), np.zeros((1, 3, 1))))
    with pytest.raises(ConfigError, match=r"hessian-free does without.* GiB of memory"):
        LevenbergMarquardt().start(problem, np.random.default_rng(0))


@pytest.mark.parametrize(
    "strategy", [HessianFree(), LevenbergMarquardt(), EKF(), RecurrentBackprop(), Chunker()]
)
def test_steps_that_do_not_follow_each_other_in_one_direction_are_refused_by_name(strategy):
    links = np.array([[[-1, -1], [-1, -1], [0, 1]]])
    batch = Batch(np.ones((1, 3, 2)), np.ones((1, 3, 1)), links=links)
    with pytest.raises(ConfigError, match=f"strategy {strategy.name}: cell recursive sees linked steps"):
        strategy.fit(Network(2, 1, cell="recursive", hidden=2), batch, budget="1gen")
    batch = Batch(np.ones((1, 3, 2)), np.ones((1, 3, 1)))
    with pytest.raises(ConfigError, match=f"strategy {strategy.name}: this network sees a whole sequence"):
        strategy.fit(Network(2, 1, cell="elman", hidden=2, bidirectional=True), batch, budget="1gen")


def test_a_strategy_of_rewards_says_that_data_have_none():
    batch = Batch(np.ones((1, 3, 2)), np.ones((1, 3, 1)))
    with pytest.raises(ConfigError, match=r"reinforce: .* only environments, such as the task cart-pole"):
        REINFORCE().fit(Network(2, 1, cell="elman", hidden=2), batch, budget="1gen")
