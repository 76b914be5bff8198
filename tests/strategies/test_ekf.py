"""The extended Kalman filter: its update, the linear case, decoupled groups, streams, and what it cannot train."""

import numpy as np
import pytest

import evorrn
from evorrn import EKF, Batch, Network, Problem
from evorrn.base.errors import ConfigError
from evorrn.kernels.kalman import kalman_update


def textbook(covariance, jacobian, errors, noise, drift):
    """Return change and covariance after observations, all at once, with full matrices."""
    spread = jacobian @ covariance @ jacobian.T + noise * np.eye(len(errors))
    gain = covariance @ jacobian.T @ np.linalg.inv(spread)
    after = covariance - gain @ jacobian @ covariance + drift * np.eye(len(covariance))
    return gain @ errors, after


@pytest.mark.parametrize("sizes, m", [([1], 1), ([7], 3), ([4, 1, 5], 2), ([2, 2], 6), ([33, 8], 4)])
def test_the_compiled_update_is_that_of_the_textbook_and_groups_share_the_errors(sizes, m):
    rng = np.random.default_rng(m)
    sizes, n = np.array(sizes), sum(sizes)
    whole = np.zeros((n, n))
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes)]
    for part, size in zip(parts, sizes):
        root = rng.standard_normal((size, size + 2))
        whole[part, part] = root @ root.T
    stored = np.concatenate([whole[p, p][np.tril_indices(s)] for p, s in zip(parts, sizes)])
    jacobian, errors, change = rng.standard_normal((m, n)), rng.standard_normal(m), np.empty(n)
    assert kalman_update(stored, sizes, jacobian, errors, 0.7, 0.01, change)
    wanted, after = np.zeros(n), whole
    for row, error in zip(jacobian, errors):
        step, after = textbook(after, row[None], np.array([error - row @ wanted]), 0.7, 0.0)
        wanted = wanted + step
        for part in parts:  # what two groups have in common is not kept
            rest = np.setdiff1d(np.arange(n), np.arange(n)[part])
            after[part, rest] = 0
    after += 0.01 * np.eye(n)
    if len(sizes) == 1:
        at_once = textbook(whole, jacobian, errors, 0.7, 0.01)
        np.testing.assert_allclose(wanted, at_once[0], rtol=1e-8, atol=1e-11)
        np.testing.assert_allclose(after, at_once[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(change, wanted, rtol=1e-8, atol=1e-11)
    found = np.concatenate([after[p, p][np.tril_indices(s)] for p, s in zip(parts, sizes)])
    np.testing.assert_allclose(stored, found, rtol=1e-8, atol=1e-10)


def test_an_impossible_update_is_reported():
    change = np.empty(1)
    assert not kalman_update(np.array([-2.0]), np.array([1]), np.ones((1, 1)), np.ones(1), 1.0, 0.0, change)


def linear(sequences=3, steps=20, seed=0, outputs=2):
    """Return a network whose outputs are linear in its genes, and sequences for it."""
    rng = np.random.default_rng(seed)
    network = Network(2, outputs, cell="ng-rc", hidden=5, dtype="float64")
    inputs = rng.standard_normal((sequences, steps, 2))
    return network, Batch(
        inputs, rng.standard_normal((sequences, steps, outputs)), mask=rng.random((sequences, steps)) < 0.8
    )


@pytest.mark.parametrize("streams", [1, 2, 5])
@pytest.mark.parametrize("variance", [0.1, 50.0])
def test_for_a_linear_network_one_epoch_is_ridge_regression_with_one_over_the_variance_as_penalty(
    streams, variance
):
    """Recursive least squares is the same with one stream: nothing depends on the order of the observations."""
    network, batch = linear()
    strategy = EKF(streams=streams, variance=variance, noise=1, last_noise=1, drift=0, last_drift=0)
    problem = Problem(network, batch)
    start = strategy.start(problem, np.random.default_rng(3))
    after = strategy.step(problem, start)
    states = network.readout_states(start["genome"], batch.inputs)[batch.scored]
    features = np.column_stack([states, np.ones(len(states))])
    weights = network.unpack(start["genome"])
    first = np.column_stack([weights["readout.W"], weights["readout.b"]])
    errors = batch.targets[batch.scored] - features @ first.T
    gram = features.T @ features + np.eye(features.shape[1]) / variance
    wanted = first + np.linalg.solve(gram, features.T @ errors).T
    found = network.unpack(after["genome"])
    np.testing.assert_allclose(np.column_stack([found["readout.W"], found["readout.b"]]), wanted, rtol=1e-8)
    inverse = np.linalg.inv(gram)
    genes = np.zeros((network.size,) * 2)
    genes[np.tril_indices(network.size)] = after["covariance"]
    place = np.r_[0 : features.shape[1] - 1, 2 * (features.shape[1] - 1)]  # the genes of the first output
    np.testing.assert_allclose(genes[np.ix_(place, place)], np.tril(inverse), rtol=1e-7, atol=1e-10)


def elman_by_hand(network, genome, batch, order, strategy):
    """Return the genome after one epoch, one sequence after the other, by plain loops for an Elman network."""
    genome, n, hidden = np.array(genome), network.size, network.hidden[0]
    covariance = strategy.variance * np.eye(n)
    for b in order:
        h, influence = np.zeros(hidden), np.zeros((hidden, n))
        for t in range(batch.lengths[b]):
            w = network.unpack(genome)
            x = batch.inputs[b, t]
            new = np.tanh(w["layer0.W_x"] @ x + w["layer0.W_h"] @ h + w["layer0.b"])
            direct = np.zeros((hidden, n))
            for unit in range(hidden):
                one = {name: np.zeros_like(v) for name, v in w.items()}
                one["layer0.W_x"][unit], one["layer0.W_h"][unit], one["layer0.b"][unit] = x, h, 1
                direct[unit] = network.pack(one)
            influence = (1 - new**2)[:, None] * (w["layer0.W_h"] @ influence + direct)
            h = new
            if batch.scored[b, t]:
                output = w["readout.W"] @ h + w["readout.b"]
                jacobian = w["readout.W"] @ influence
                for o in range(len(output)):
                    one = {name: np.zeros_like(v) for name, v in w.items()}
                    one["readout.W"][o], one["readout.b"][o] = h, 1
                    jacobian[o] += network.pack(one)
                change, covariance = textbook(
                    covariance, jacobian, batch.targets[b, t] - output, strategy.noise, strategy.drift
                )
                genome = genome + change
    return genome


def ragged(seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.array([6, 1, 4])
    mask = rng.random((3, 6)) < 0.7
    mask[np.arange(3), lengths - 1] = True
    inputs = rng.standard_normal((3, 6, 2))
    inputs[1, 1:] = np.nan  # beyond the length
    return Batch(np.nan_to_num(inputs), rng.standard_normal((3, 6, 2)), mask=mask, lengths=lengths)


def test_an_epoch_of_an_elman_network_is_that_of_plain_loops():
    network, batch = Network(2, 2, hidden=3, dtype="float64"), ragged()
    strategy = EKF(streams=1, noise=2, last_noise=2, drift=0.01, last_drift=0.01)
    problem = Problem(network, batch)
    start = strategy.start(problem, np.random.default_rng(0))
    rng = np.random.default_rng()
    rng.bit_generator.state = start["rng"]
    order = rng.permutation(3)
    after = strategy.step(problem, start)
    wanted = elman_by_hand(network, start["genome"], batch, order, strategy)
    np.testing.assert_allclose(after["genome"], wanted, rtol=1e-9, atol=1e-11)


def test_with_one_group_a_neuron_the_covariance_between_neurons_is_not_kept():
    network, batch = Network(2, 2, hidden=3, dtype="float64"), ragged()
    problem = Problem(network, batch)
    for groups, numbers in (
        ("global", 26 * 27 // 2),
        ("neuron", 3 * 6 * 7 // 2 + 2 * 4 * 5 // 2),
        ("block", 6 * 7 // 2 + 9 * 10 // 2 + 3 * 4 // 2 + 6 * 7 // 2 + 2 * 3 // 2),
        ("weight", 26),
    ):
        state = EKF(groups=groups).start(problem, np.random.default_rng(0))
        state = EKF(groups=groups).step(problem, state)
        assert state["covariance"].size == numbers, groups
        assert np.isfinite(state["genome"]).all()


@pytest.mark.parametrize("groups", ["global", "neuron"])
def test_classes_are_learned_from_their_probabilities(groups):
    """Which of the last two symbols came first needs memory; five epochs are enough."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (30, 6))
    labels = 2 * bits + np.roll(bits, 1, axis=1)
    batch = Batch(np.eye(2)[bits], labels, mask=np.arange(6)[None] >= np.ones((30, 1)))
    network = Network(2, 4, hidden=5, loss="cross-entropy")
    result = EKF(groups=groups).fit(network, batch, budget="15gen", seed=1)
    assert result.metrics["train"]["accuracy"] > 0.95
    assert result.history["noise"][-1] < result.history["noise"][0]


def test_work_is_that_of_the_influence_and_of_the_covariance():
    network, batch = Network(2, 2, hidden=3), ragged()
    problem = Problem(network, batch)
    strategy = EKF(streams=1)
    state = strategy.start(problem, np.random.default_rng(0))
    assert problem.meter.work == 0
    strategy.step(problem, state)
    # An adjoint in one direction gives all derivatives of the step. The influence of 18 genes, 3 units and 5 sources for each, on 3 units:
    # a product, what each gene does at once, and the derivative of the loss; then a product with the readout for each output.
    one = network.step_structure.work + 18 * (3 * 3 + 3 + 3) + 2 * (3 * 18 + network.size)
    steps, scored = int(batch.lengths.sum()), 2 * int(batch.scored.sum())
    covariance = scored * (network.size * (network.size + 1) + 6 * network.size)
    assert problem.meter.work == steps * one + covariance + network.forward_work(batch)  # and validation
    assert problem.meter.evaluations == 1


def test_losses_of_whole_sequences_are_refused_with_what_serves():
    network = Network(2, 3, hidden=3, loss="ctc")
    batch = Batch(np.zeros((1, 5, 2)), [[1]], target_lengths=[1])
    with pytest.raises(ConfigError, match="loss on whole sequences, which bptt and evolution serve"):
        EKF().fit(network, batch, budget="1gen")


def test_a_network_of_symbols_as_learned_vectors_is_refused_in_a_sentence():
    network = Network(4, 1, hidden=2, embedding=3)
    batch = Batch(np.zeros((2, 5), int), np.ones((2, 5, 1)))
    with pytest.raises(ConfigError, match="got one with embedding=3; make it without embedding=3"):
        EKF().fit(network, batch, budget="1gen")


def test_a_covariance_that_does_not_fit_into_memory_is_refused_before_anything_starts():
    network = Network(1, 1, cell="elman", hidden=2000)
    batch = Batch(np.zeros((1, 3, 1)), np.zeros((1, 3, 1)))
    with pytest.raises(ConfigError, match=r"groups=global.* GiB of memory.*; groups=(neuron|weight) fits"):
        EKF().start(Problem(network, batch), np.random.default_rng(0))


def test_a_diverged_epoch_goes_back_to_the_last_genome(monkeypatch):
    network, batch = Network(1, 1, cell="narx", hidden=2), Batch(np.ones((1, 5, 1)), np.ones((1, 5, 1)))
    problem = Problem(network, batch)
    strategy = EKF()
    state = strategy.start(problem, np.random.default_rng(0))
    state["covariance"] = np.full_like(state["covariance"], np.nan)
    after = strategy.step(problem, state)
    assert after["record"]["failed"] == 1
    assert np.array_equal(after["genome"], state["genome"]) and np.isfinite(after["covariance"]).all()
    assert evorrn.EKF().step(problem, after)["record"]["failed"] == 0
