"""Bidirectional memories against loops, all states of small ones, and exact moments of stochastic ones."""

import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from evorrn.associative import BAM, StochasticBAM
from evorrn.base.errors import EvorrnError, ShapeError


def signs(rng, *shape):
    return rng.choice([-1.0, 1.0], shape)


@pytest.mark.parametrize("seed", range(8))
def test_recall_is_the_loop_over_units_and_never_raises_the_energy_for_any_weights_and_thresholds(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 9, 2).tolist()
    memory = BAM(n, m)
    memory.weights = rng.integers(-2, 3, (n, m)).astype(float) if seed % 2 else rng.normal(size=(n, m))
    if seed > 3:  # whole numbers, so that sums equal thresholds, or any
        memory.x_thresholds, memory.y_thresholds = (
            rng.integers(-2, 3, n),
            rng.integers(-2, 3, m) + 0.5 * (seed % 2),
        )
    x, y = signs(rng, 5, n), signs(rng, 5, m)
    found = memory.recall(x=x, y=y)
    assert found.converged.all()
    for place in range(5):
        a, b, energies = list(x[place]), list(y[place]), []
        for _ in range(50):
            for j in range(m):
                total = sum(memory.weights[i, j] * a[i] for i in range(n)) - memory.y_thresholds[j]
                b[j] = b[j] if total == 0 else float(np.sign(total))
            energies.append(memory.energy(a, b)[0])
            for i in range(n):
                total = sum(memory.weights[i, j] * b[j] for j in range(m)) - memory.x_thresholds[i]
                a[i] = a[i] if total == 0 else float(np.sign(total))
            energies.append(memory.energy(a, b)[0])
        assert found.x[place].tolist() == a and found.y[place].tolist() == b
        assert all(later <= before + 1e-9 for before, later in itertools.pairwise(energies))


@pytest.mark.parametrize("seed", range(8))
def test_ties_are_kept_under_fractions_that_cancel_within_rounding(seed):
    """The same memory in whole numbers, whose sums are exact, recalls the same from every pair of states."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 8, 2).tolist()
    whole, fractions = BAM(n, m), BAM(n, m)
    whole.weights = rng.integers(-3, 4, (n, m))
    whole.x_thresholds, whole.y_thresholds = rng.integers(-2, 3, n), rng.integers(-2, 3, m)
    fractions.weights = whole.weights / 10
    fractions.x_thresholds, fractions.y_thresholds = whole.x_thresholds / 10, whole.y_thresholds / 10
    x, y = signs(rng, 60, n), signs(rng, 60, m)
    for cues in ({"x": x, "y": y}, {"x": x}, {"y": y}):
        wanted, found = whole.recall(**cues), fractions.recall(**cues)
        assert (found.x == wanted.x).all() and (found.y == wanted.y).all() and found.converged.all()


@pytest.mark.parametrize("n, m", [(1, 1), (3, 2), (2, 5)])
def test_every_recall_ends_where_no_layer_would_lower_the_energy_with_thresholds(n, m):
    """All states are listed: the fixed points are those from which the best change of either layer gains nothing."""
    rng = np.random.default_rng(n + 10 * m)
    memory = BAM(n, m, rng.normal(size=n), rng.normal(size=m))
    memory.weights = rng.normal(size=(n, m))
    xs, ys = (np.array(list(itertools.product([-1.0, 1.0], repeat=units))) for units in (n, m))
    pairs = [(x, y) for x in xs for y in ys]
    energies = {
        (*x, *y): -sum(x[i] * memory.weights[i, j] * y[j] for i in range(n) for j in range(m))
        + sum(memory.x_thresholds * x)
        + sum(memory.y_thresholds * y)
        for x, y in pairs
    }
    fixed = [
        (*x, *y)
        for x, y in pairs
        if all(energies[(*x, *y)] <= energies[(*x, *other)] for other in ys)
        and all(energies[(*x, *y)] <= energies[(*other, *y)] for other in xs)
    ]
    start_x, start_y = (np.array(layer) for layer in zip(*pairs))
    np.testing.assert_allclose(memory.energy(start_x, start_y), list(energies.values()), atol=1e-12)
    found = memory.recall(x=start_x, y=start_y)
    ends = {(*x, *y) for x, y in zip(found.x.tolist(), found.y.tolist())}
    assert found.converged.all() and ends == set(fixed)


def test_a_genome_has_no_thresholds_and_its_memory_keeps_them():
    memory = BAM(2, 3, [0.5, -0.5], [9, 0, -9])
    assert memory.size == 6 and memory.unpack(np.ones(6)).y_thresholds.tolist() == [9, 0, -9]
    assert memory.recall(x=[[1, 1]]).y.tolist() == [[-1, 1, 1]]
    path = memory.trace(x=[1, 1])
    assert (path.energies == memory.energy(path.x, path.y)).all()
    right = memory.fitness([memory.pack()], [[1, 1]], [[-1, 1, 1]], x_cues=[[1, 1]])
    assert right.tolist() == [1.0]


def test_pairs_are_recalled_from_either_side_and_from_noisy_cues():
    rng = np.random.default_rng(0)
    x, y = signs(rng, 5, 120), signs(rng, 5, 90)
    memory = BAM(120, 90).store(x, y)
    np.testing.assert_array_equal(memory.weights, sum(np.outer(a, b) for a, b in zip(x, y)))
    cue = x.copy()
    cue[:, :15] *= -1
    found = memory.recall(x=cue)
    assert (found.x == x).all() and (found.y == y).all()
    assert (memory.recall(y=y).x == x).all()


def test_one_layer_alone_starts_the_other_with_ties_as_one():
    memory = BAM(2, 3)
    found = memory.recall(x=[[1, -1]])
    assert found.y.tolist() == [[1, 1, 1]] and found.x.tolist() == [[1, -1]]


def test_wrong_input_of_a_memory_of_pairs():
    with pytest.raises(EvorrnError, match="a start of x, of y"):
        BAM(2, 2).recall()
    with pytest.raises(ShapeError, match="one pattern for each of 2"):
        BAM(2, 2).store([[1, 1], [1, -1]], [[1, 1]])
    with pytest.raises(EvorrnError, match="y_units"):
        BAM(2, 0)
    with pytest.raises(ShapeError, match=r"y_thresholds: expected shape \(3,\), got \(2,\)"):
        BAM(2, 3, y_thresholds=[0, 0])
    with pytest.raises(ShapeError, match="x_thresholds: expected finite numbers"):
        BAM(2, 3).x_thresholds = [0, np.nan]
    with pytest.raises(ShapeError, match="at least one pattern"):
        BAM(2, 3).store(np.ones((0, 2)), np.ones((0, 3)))


@pytest.mark.parametrize("n, m", [(100, 100), (60, 300)])
def test_a_memory_of_pairs_recalls_what_its_capacity_says_and_notes_more(n, m):
    rng = np.random.default_rng(n)
    count = round(0.15 * min(n, m))
    x, y = (rng.choice([-1.0, 1.0], (2 * count, size)) for size in (n, m))
    found = BAM(n, m).store(x[:count], y[:count]).recall(x=x[:count])
    assert (found.y * y[:count]).mean() > 0.95
    with pytest.warns(UserWarning, match=f"{2 * count} pairs in layers of {n} and {m} units"):
        assert BAM(n, m).store(x, y).weights.any()


# --------------------------------------------------------------------------------- stochastic


def one_mode(rng, n, m, gain):
    return StochasticBAM(
        rng.uniform(0.5, 1.5, n),
        rng.uniform(0.5, 1.5, m),
        gain * rng.normal(size=(n, m)),
        gain * rng.normal(size=(m, n)),
    )


def test_without_noise_one_mode_and_no_delay_it_is_the_differential_equation():
    rng = np.random.default_rng(0)
    memory = one_mode(rng, 3, 4, gain=0.8)
    x, y, i, j = (rng.normal(size=size) for size in (3, 4, 3, 4))

    def slope(_, both):
        a, b = both[:3], both[3:]
        return np.concatenate([
            i - memory.decay_x[0] * a + memory.weights_x[0] @ np.tanh(b),
            j - memory.decay_y[0] * b + memory.weights_y[0] @ np.tanh(a),
        ])  # fmt: skip

    solved = solve_ivp(slope, (0, 3.0), np.concatenate([x, y]), rtol=1e-10, atol=1e-12).y[:, -1]
    errors = []
    for step in (0.002, 0.001):
        path = memory.simulate(x, y, 3.0, step, inputs=(i, j))
        errors.append(np.abs(np.concatenate([path.x[-1], path.y[-1]]) - solved).max())
    assert errors[1] < 2e-3 and 1.8 < errors[0] / errors[1] < 2.2  # the method of Euler is of first order


def test_a_delay_is_that_of_steps_by_hand():
    memory = StochasticBAM(
        [1.0], [1.0], [[[0.5]]], [[[-0.4]]], late=([[[0.9]]], [[[0.7]]]), delays=[0.3]
    )  # fmt: skip
    path = memory.simulate([0.5], [-0.2], 2.0, 0.1)
    x, y = [0.5], [-0.2]
    for t in range(20):
        late = max(t - 3, 0)
        dx = -x[t] + 0.5 * np.tanh(y[t]) + 0.9 * np.tanh(y[late])
        dy = -y[t] - 0.4 * np.tanh(x[t]) + 0.7 * np.tanh(x[late])
        x.append(x[t] + 0.1 * dx)
        y.append(y[t] + 0.1 * dy)
    np.testing.assert_allclose(path.x[:, 0], x, atol=1e-14)
    np.testing.assert_allclose(path.y[:, 0], y, atol=1e-14)


def test_modes_are_visited_as_often_as_the_stationary_law_of_the_generator_says():
    q = np.array([[-0.6, 0.4, 0.2], [0.5, -1.0, 0.5], [0.1, 0.9, -1.0]])
    flat = np.zeros((3, 1, 1))
    memory = StochasticBAM(np.ones((3, 1)), np.ones((3, 1)), flat, flat, generator=q)
    path = memory.simulate([0.0], [0.0], time=20_000.0, step=0.1, seed=1)
    law = np.linalg.lstsq(np.vstack([q.T, np.ones(3)]), [0, 0, 0, 1], rcond=None)[0]
    share = np.bincount(path.modes, minlength=3) / len(path.modes)
    np.testing.assert_allclose(share, law, atol=0.02)
    jumps = np.array(
        [[np.mean(path.modes[1:][path.modes[:-1] == a] == b) for b in range(3)] for a in range(3)]
    )
    np.testing.assert_allclose(jumps, expm(0.1 * q), atol=0.005)


def test_small_noise_has_the_covariance_of_the_lyapunov_equation():
    """Near zero tanh is linear, and the path is an Ornstein-Uhlenbeck process."""
    rng = np.random.default_rng(2)
    memory = one_mode(rng, 2, 2, gain=0.3)
    level = 1e-3
    path = memory.simulate(np.zeros(2), np.zeros(2), 4_000.0, 0.02, noise=(level, 2 * level), seed=0)
    both = np.hstack([path.x, path.y])[5_000:]
    drift = np.block([
        [-np.diag(memory.decay_x[0]), memory.weights_x[0]],
        [memory.weights_y[0], -np.diag(memory.decay_y[0])],
    ])  # fmt: skip
    wanted = solve_continuous_lyapunov(drift, -np.diag([level**2] * 2 + [4 * level**2] * 2))
    np.testing.assert_allclose(np.cov(both.T), wanted, atol=0.12 * wanted.max())


def test_jumping_modes_have_the_second_moments_of_the_coupled_lyapunov_equations():
    """Two modes of a linear system: sum over modes of P_k with A_k P_k + P_k A_k' + sum_l q_lk P_l + pi_k S = 0."""
    q = np.array([[-0.5, 0.5], [1.0, -1.0]])
    decay = np.array([[1.0, 1.0], [0.4, 0.4]])
    weights = np.array([[[0.2]], [[-0.3]]])
    memory = StochasticBAM(decay[:, :1], decay[:, 1:], weights, weights, generator=q)
    level = 1e-3
    path = memory.simulate([0.0], [0.0], 10_000.0, 0.025, noise=(level, level), seed=3)
    both = np.hstack([path.x, path.y])[5_000:]
    law, size = np.array([2 / 3, 1 / 3]), 2
    matrices = [np.array([[-d[0], w[0, 0]], [w[0, 0], -d[1]]]) for d, w in zip(decay, weights)]
    eye = np.eye(size)
    system = np.zeros((2 * size**2, 2 * size**2))
    for k in range(2):
        here = slice(k * size**2, (k + 1) * size**2)
        system[here, here] += np.kron(matrices[k], eye) + np.kron(eye, matrices[k])
        for other in range(2):
            there = slice(other * size**2, (other + 1) * size**2)
            system[here, there] += q[other, k] * np.eye(size**2)
    right = -np.concatenate([p * level**2 * eye.ravel() for p in law])
    wanted = np.linalg.solve(system, right).reshape(2, size, size).sum(axis=0)
    np.testing.assert_allclose(both.T @ both / len(both), wanted, atol=0.12 * wanted.max())


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (
            ([1.0], [1.0], [[[1.0, 2.0]]], [[[1.0]]]),
            {},
            r"weights_x: expected finite numbers of shape \(1, 1, 1\)",
        ),
        (([-1.0], [1.0], [[[1.0]]], [[[1.0]]]), {}, "decay_x: expected finite numbers > 0"),
        (([[1.0], [1.0]], [[1.0]], [[[1.0]]], [[[1.0]]]), {}, "expected 2 modes"),
        (
            (np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1))),
            {},
            "rates between 2 modes",
        ),
        (
            (np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1))),
            {"generator": [[-1, 2], [1, -1]]},
            "rows that add up to 0",
        ),
        (("a", [1.0], [[[1.0]]], [[[1.0]]]), {}, "decay_x: expected an array of numbers, got str"),
        ((np.ones((1, 1, 1)), [1.0], [[[1.0]]], [[[1.0]]]), {}, r"decay_x: expected shape \(modes, units\)"),
        (([1.0], [np.inf], [[[1.0]]], [[[1.0]]]), {}, "decay_y: expected finite numbers > 0"),
        (([1.0], [1.0], [[[np.nan]]], [[[1.0]]]), {}, "weights_x: .* got NaN or infinity"),
        (
            ([1.0], [1.0], [[[1.0]]], [[[1.0]]]),
            {"late": 3},
            r"late: expected two values \(for x, for y\), got int",
        ),
        (([1.0], [1.0], [[[1.0]]], [[[1.0]]]), {"delays": [-1.0]}, "delays: expected numbers of at least 0"),
    ],
)
def test_wrong_parameters_are_refused_with_a_sentence(arguments, options, message):
    with pytest.raises(EvorrnError, match=message):
        StochasticBAM(*arguments, **options)


def test_a_step_that_is_too_long_is_refused():
    memory = StochasticBAM([10.0], [1.0], [[[0.0]]], [[[0.0]]])
    with pytest.raises(EvorrnError, match=r"at most 0\.05 for a decay of 10"):
        memory.simulate([0.0], [0.0], 1.0, 0.1)


def test_a_delay_longer_than_the_trajectory_is_refused():
    memory = StochasticBAM([1.0], [1.0], np.ones((1, 1, 1)), np.ones((1, 1, 1)), delays=[3.0])
    with pytest.raises(EvorrnError, match="delays: expected at most the length of the trajectory, 2, got 3"):
        memory.simulate([0.1], [0.1], time=2.0, step=0.1)
    assert memory.simulate([0.1], [0.1], time=3.0, step=0.1).x.shape == (31, 1)


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (([0.1], [0.1], "1", 0.1), {}, "time: expected a finite number > 0, got '1'"),
        (([0.1], [0.1], 1.0, None), {}, "step: expected a finite number > 0, got None"),
        (([0.1, 0.2], [0.1], 1.0, 0.1), {}, r"x: expected shape \(1,\), got \(2,\)"),
        (([0.1], [0.1], 1.0, 0.1), {"noise": 0.1}, r"noise: expected two values \(for x, for y\), got float"),
        (([0.1], [0.1], 1.0, 0.1), {"noise": ("a", 0)}, "noise of x: expected a finite number of at least 0"),
        (
            ([0.1], [0.1], 1.0, 0.1),
            {"inputs": ([1],)},
            r"inputs: expected two values \(for x, for y\), got 1",
        ),
        (([0.1], [0.1], 1e9, 1e-9), {}, "expected fewer, as 1,000,000,000,000,000,000 take"),
    ],
)
def test_a_trajectory_that_cannot_be_is_refused_with_a_sentence(arguments, options, message):
    memory = StochasticBAM([1.0], [1.0], [[[0.5]]], [[[0.5]]])
    with pytest.raises(EvorrnError, match=message):
        memory.simulate(*arguments, **options)


@pytest.mark.parametrize("noise", [(np.nan, 0.0), (0.0, -1.0), (np.inf, 0.0)])
def test_noise_that_is_no_standard_deviation_is_refused(noise):
    memory = StochasticBAM([1.0], [1.0], [[[0.5]]], [[[0.5]]])
    with pytest.raises(EvorrnError, match=r"noise of [xy]: expected a finite number of at least 0"):
        memory.simulate([1.0], [1.0], 1.0, 0.1, noise=noise)
