"""Hopfield networks against loops in plain Python, all states of small networks, and theory."""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from evorrn import CMAES
from evorrn.associative import ContinuousHopfield, Hopfield, ModernHopfield
from evorrn.associative.rules import CAPACITY, RULES


def random_patterns(rng, count, units):
    return rng.choice([-1.0, 1.0], (count, units))


def random_memory(rng, units, whole=False):
    memory = Hopfield(units, thresholds=np.round(rng.normal(size=units), 1) if rng.random() < 0.5 else None)
    genes = rng.integers(-2, 3, memory.size).astype(float) if whole else rng.normal(size=memory.size)
    return memory.unpack(genes)


def energy_by_hand(memory, state):
    return sum(
        -0.5 * memory.weights[i, j] * state[i] * state[j]
        for i in range(memory.units)
        for j in range(memory.units)
    ) + sum(memory.thresholds[i] * state[i] for i in range(memory.units))


def one_by_one(memory, cue, orders):
    """Return the state and the energies after every update of one unit."""
    state, energies = list(cue), []
    for order in orders:
        changed = False
        for unit in order:
            field = (
                sum(memory.weights[unit, j] * state[j] for j in range(memory.units)) - memory.thresholds[unit]
            )
            if field != 0 and math.copysign(1, field) != state[unit]:
                state[unit], changed = -state[unit], True
            energies.append(energy_by_hand(memory, state))
        if not changed:
            break
    return state, energies


@pytest.mark.parametrize("seed", range(12))
def test_recall_one_by_one_is_the_loop_and_never_raises_the_energy(seed):
    rng = np.random.default_rng(seed)
    units, count = int(rng.integers(1, 13)), int(rng.integers(1, 6))
    memory, cues = random_memory(rng, units, whole=bool(seed % 2)), random_patterns(rng, count, units)
    order_seed = int(rng.integers(100))
    drawn = np.random.default_rng(order_seed)
    usual = np.tile(np.arange(units), (8, 1))
    many = [order for _ in range(25) for order in drawn.permuted(usual, axis=1)]
    orders = {"asynchronous": many, "fixed": [range(units)] * 200}
    for order, sequence in orders.items():
        found = memory.recall(cues, order=order, seed=order_seed)
        assert found.converged.all() and not found.cycles.any()
        for cue, state in zip(cues, found.states):
            wanted, energies = one_by_one(memory, cue, sequence)
            assert state.tolist() == wanted
            assert all(later <= before + 1e-9 for before, later in itertools.pairwise(energies))
            assert memory.energy(state)[0] == pytest.approx(energies[-1])


@pytest.mark.parametrize("seed, units", [(0, 8), (1, 3), (2, 13), (3, 16)])
def test_recall_ends_in_the_fixed_points_that_all_states_of_a_small_network_have(seed, units):
    rng = np.random.default_rng(seed)
    memory = random_memory(rng, units)
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=units)))
    fields = states @ memory.weights - memory.thresholds
    fixed = {tuple(state) for state, field in zip(states, fields) if (state * field >= 0).all()}
    found = memory.recall(states, seed=seed)
    assert {tuple(state) for state in found.states} == fixed
    lowest = states[np.argmin(memory.energy(states))]
    assert tuple(lowest) in fixed


def test_updates_all_at_once_can_end_in_a_cycle_of_two_and_one_by_one_cannot():
    units = 6
    memory = Hopfield(units)
    memory.weights = np.eye(units) - np.ones((units, units))
    cue = np.ones(units)
    together = memory.recall(cue, order="synchronous")
    assert together.cycles.all() and not together.converged.any()
    alone = memory.recall(cue)
    assert alone.converged.all() and not alone.cycles.any()


@pytest.mark.parametrize("seed", range(6))
def test_updates_all_at_once_are_the_matrix_product_until_a_state_repeats(seed):
    rng = np.random.default_rng(seed)
    memory, cues = random_memory(rng, int(rng.integers(2, 30))), None
    cues = random_patterns(rng, 7, memory.units)
    found = memory.recall(cues, order="synchronous")
    for place, cue in enumerate(cues):
        path = [cue]
        for _ in range(200):
            field = memory.weights @ path[-1] - memory.thresholds
            path.append(np.where(field == 0, path[-1], np.sign(field)))
            if (path[-1] == path[-2]).all() or (len(path) > 2 and (path[-1] == path[-3]).all()):
                break
        still = bool((path[-1] == path[-2]).all())
        assert found.converged[place] == still and found.cycles[place] != still
        assert (found.states[place] == path[-1]).all()


@pytest.mark.parametrize("units, count", [(3, 1), (6, 3), (7, 2), (10, 3), (11, 4)])
def test_a_unit_whose_sum_is_zero_keeps_its_value_although_its_terms_are_fractions(units, count):
    rng = np.random.default_rng(units)
    patterns, whole = rng.choice([-1, 1], (count, units)), rng.integers(-2, 3, units)
    products = patterns.T @ patterns
    np.fill_diagonal(products, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory = Hopfield(units, thresholds=whole / units).store(patterns)
    cues = np.array(list(itertools.product([-1, 1], repeat=units)))
    assert ((cues @ products - whole) == 0).any()
    one_by_one, at_once = memory.recall(cues, order="fixed"), memory.recall(cues, order="synchronous")
    assert one_by_one.converged.all() and (at_once.converged ^ at_once.cycles).all()
    for place, cue in enumerate(cues):
        state, moving = cue.copy(), True
        while moving:
            moving = False
            for unit in range(units):
                if (state @ products[unit] - whole[unit]) * state[unit] < 0:
                    state[unit], moving = -state[unit], True
        assert one_by_one.states[place].tolist() == state.tolist()
        assert memory.trace(cue, order="fixed").states[-1].tolist() == state.tolist()
        path = [cue]
        while len(path) < 3 or not ((path[-1] == path[-2]).all() or (path[-1] == path[-3]).all()):
            sums = path[-1] @ products - whole
            path.append(np.where(sums == 0, path[-1], np.sign(sums)))
        assert at_once.converged[place] == (path[-1] == path[-2]).all()
        assert at_once.states[place].tolist() in [path[-1].tolist(), path[-2].tolist()]


@pytest.mark.parametrize("order", ["asynchronous", "fixed", "synchronous"])
def test_a_recall_that_ends_at_its_limit_in_a_fixed_point_has_converged(order):
    patterns = random_patterns(np.random.default_rng(0), 2, 50)
    memory, cues = Hopfield(50).store(patterns), patterns.copy()
    cues[:, :3] *= -1
    found = memory.recall(cues, order=order, sweeps=1)
    assert found.states.tolist() == patterns.tolist() and found.converged.all() and (found.sweeps == 1).all()


def test_recall_depends_on_neither_the_other_cues_nor_the_threads(monkeypatch):
    rng = np.random.default_rng(3)
    memory, cues = random_memory(rng, 40), random_patterns(rng, 9, 40)
    together = memory.recall(cues, seed=5).states
    monkeypatch.setattr("evorrn.kernels.threads._count", 3)
    assert (memory.recall(cues, seed=5).states == together).all()
    alone = [memory.recall(cue, seed=5).states[0] for cue in cues]
    assert (np.array(alone) == together).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("units, count", [(60, 2), (101, 5)])
def test_every_rule_stores_a_few_patterns_and_mends_cues(rule, units, count):
    rng = np.random.default_rng(units)
    patterns = random_patterns(rng, count, units)
    memory = Hopfield(units).store(patterns, rule=rule)
    assert (memory.weights == memory.weights.T).all() and not np.diag(memory.weights).any()
    cues = patterns.copy()
    cues[:, rng.permutation(units)[: units // 10]] *= -1
    found = memory.recall(cues)
    assert (np.diag(memory.overlap(found.states, patterns)) > 0.98).all()
    # The opposite of a stored pattern is stored as well.
    assert (memory.recall(-patterns).states == -memory.recall(patterns).states).all()


def test_hebbs_and_storkeys_rules_by_hand():
    rng = np.random.default_rng(0)
    units, patterns = 7, random_patterns(rng, 4, 7)
    hebb, storkey = np.zeros((units, units)), np.zeros((units, units))
    for p in patterns:
        before = storkey.copy()
        for i, j in itertools.permutations(range(units), 2):
            hebb[i, j] += p[i] * p[j] / units
            h_ij = sum(before[i, k] * p[k] for k in range(units) if k not in (i, j))
            h_ji = sum(before[j, k] * p[k] for k in range(units) if k not in (i, j))
            storkey[i, j] += (p[i] * p[j] - p[i] * h_ji - h_ij * p[j]) / units
    with pytest.warns(UserWarning, match="hebb holds about"):
        memory = Hopfield(units).store(patterns, "hebb")
    np.testing.assert_allclose(memory.weights, hebb, atol=1e-14)
    with pytest.warns(UserWarning, match="storkey holds about"):
        memory = Hopfield(units).store(patterns, "storkey")
    np.testing.assert_allclose(memory.weights, storkey, atol=1e-14)


@pytest.mark.parametrize("seed", range(12))
def test_independent_patterns_are_fixed_points_of_the_pseudo_inverse_where_it_links_units_to_no_other(seed):
    """Exact projections in fractions: where their diagonal is 1, all other weights of the unit are 0, as for M = N."""
    rng = np.random.default_rng(seed)
    while True:
        units = int(rng.integers(1, 12))
        patterns = rng.choice([-1.0, 1.0], (int(rng.integers(max(units - 2, 1), units + 1)), units))
        if np.linalg.matrix_rank(patterns) == len(patterns):
            break
    basis = []  # Gram and Schmidt, without roots
    for pattern in patterns.astype(int).tolist():
        rest = [Fraction(value) for value in pattern]
        for vector in basis:
            share = sum(a * b for a, b in zip(pattern, vector)) / sum(a * a for a in vector)
            rest = [a - share * b for a, b in zip(rest, vector)]
        basis.append(rest)
    wanted = np.zeros((units, units))
    for i, j in itertools.permutations(range(units), 2):
        wanted[i, j] = sum(vector[i] * vector[j] / sum(a * a for a in vector) for vector in basis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more patterns than random ones would be recalled from errors
        memory = Hopfield(units).store(patterns, "pseudo-inverse")
    assert np.abs(memory.weights - wanted).max() < 1e-12
    assert ((memory.weights == 0) == (wanted == 0)).all()
    for order in ("asynchronous", "fixed", "synchronous"):
        found = memory.recall(patterns, order=order)
        assert found.converged.all() and (found.states == patterns).all()


def test_the_pseudo_inverse_holds_what_hebbs_rule_loses():
    rng = np.random.default_rng(1)
    patterns = random_patterns(rng, 90, 200)
    with pytest.warns(UserWarning, match="90 patterns in 200 units: hebb holds about 28"):
        lost = Hopfield(200).store(patterns).recall(patterns)
    kept = Hopfield(200).store(patterns, "pseudo-inverse").recall(patterns)
    assert (kept.states == patterns).all() and not (lost.states == patterns).all(axis=1).any()


@pytest.mark.parametrize("load, lowest, highest", [(0.05, 0.995, 1.0), (0.10, 0.98, 1.0), (0.20, 0.55, 0.85)])
def test_the_overlap_falls_beyond_the_capacity(load, lowest, highest):
    """400 units, as theory has it for many: near 1 up to a load of 0.138, and far below beyond."""
    rng = np.random.default_rng(0)
    patterns = random_patterns(rng, round(400 * load), 400)
    memory = Hopfield(400)
    memory.weights = (weights := patterns.T @ patterns / 400) - np.diag(np.diag(weights))
    states = memory.recall(patterns).states
    assert lowest <= (states * patterns).mean() <= highest


@pytest.mark.parametrize("rule", CAPACITY)
def test_every_rule_holds_what_its_capacity_says_without_a_warning(rule):
    rng = np.random.default_rng(0)
    patterns = random_patterns(rng, int(400 * CAPACITY[rule]), 400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        memory = Hopfield(400).store(patterns, rule)
    cues = patterns.copy()
    cues[:, rng.permutation(400)[:20]] *= -1
    overlap = (memory.recall(cues).states * patterns).mean()
    assert overlap > (0.9 if rule == "hebb" else 0.999)


def test_recall_survives_the_loss_of_a_fifth_of_the_weights():
    rng = np.random.default_rng(2)
    patterns = random_patterns(rng, 10, 200)
    memory = Hopfield(200).store(patterns)
    genes = memory.pack()
    genes[rng.permutation(memory.size)[: memory.size // 5]] = 0.0
    found = memory.unpack(genes).recall(patterns)
    assert (np.diag(memory.overlap(found.states, patterns)) > 0.99).all()


def test_evolution_finds_weights_that_recall_better_than_hebbs():
    rng = np.random.default_rng(4)
    patterns = random_patterns(rng, 4, 8)  # half as many as units: more than Hebb's rule holds
    cues = patterns.copy()
    cues[np.arange(4), rng.integers(8, size=4)] *= -1
    memory = Hopfield(8)
    memory.weights = (weights := patterns.T @ patterns / 8) - np.diag(np.diag(weights))
    start = memory.pack()
    search = CMAES(population=40, sigma=0.3).search(start, seed=0)
    while not search.done("2000eval"):
        genomes = search.ask()
        search.tell(genomes, memory.fitness(genomes, patterns, cues))
    assert search.best.fitness > float(memory.fitness(start, patterns, cues)[0]) + 0.05


# ------------------------------------------------------------------------- continuous and modern


def test_the_continuous_network_is_the_differential_equation_and_never_raises_its_energy():
    rng = np.random.default_rng(0)
    memory = ContinuousHopfield(12, gain=1.7, time_constant=0.8)
    memory.unpack(rng.normal(size=memory.size))
    inputs, start = rng.normal(size=12), rng.uniform(-0.9, 0.9, 12)
    path = memory.relax(start, time=6.0, step=0.01, inputs=inputs)
    solved = solve_ivp(
        lambda _, u: (np.tanh(1.7 * u) @ memory.weights + inputs - u) / 0.8,
        (0, 6.0),
        np.arctanh(start) / 1.7,
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(path[-1, 0], np.tanh(1.7 * solved.y[:, -1]), atol=1e-7)
    energies = memory.energy(path[:, 0], inputs)
    assert (np.diff(energies) <= 1e-9).all() and energies[0] > energies[-1]


def test_the_modern_memory_is_softmax_attention_and_holds_more_patterns_than_units():
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(300, 16))
    patterns *= 4 / np.linalg.norm(patterns, axis=1, keepdims=True)
    memory = ModernHopfield(patterns, beta=6.0)
    cue = patterns[11] + 0.1 * rng.normal(size=16)
    scores = np.exp(6.0 * patterns @ cue - (6.0 * patterns @ cue).max())
    np.testing.assert_allclose(memory.attention(cue)[0], scores / scores.sum(), rtol=1e-12)
    np.testing.assert_allclose(memory.recall(cue, steps=1)[0], scores @ patterns / scores.sum(), rtol=1e-12)
    found = memory.recall(patterns + 0.1 * rng.normal(size=patterns.shape))
    assert (
        np.argmin(np.square(found[:, None] - patterns).sum(axis=2), axis=1) == np.arange(300)
    ).mean() > 0.97
    path = [cue[None]]
    for _ in range(5):
        path.append(memory.recall(path[-1], steps=1))
    assert (np.diff([memory.energy(state)[0] for state in path]) <= 1e-9).all()


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("units", "count"), [(1, 1), (2, 5), (7, 1), (8, 9), (33, 40), (65, 3), (130, 71)])
def test_recall_with_and_without_vector_kernels_is_a_loop_of_numpy(units, count, monkeypatch):
    rng = np.random.default_rng(units)
    memory = random_memory(rng, units)
    cues, wanted = random_patterns(rng, count, units), []
    for cue in cues:
        state = cue.copy()
        while True:
            before = state.copy()
            for unit in range(units):
                field = state @ memory.weights[unit] - memory.thresholds[unit]
                state[unit] = np.sign(field) if abs(field) > 1e-12 else state[unit]
            if (before == state).all():
                break
        wanted.append(state)
    compiled = memory.recall(cues, order="fixed")
    monkeypatch.setenv("EVORRN_SIMD", "0")
    plain = memory.recall(cues, order="fixed")
    for found in (compiled, plain):
        assert found.converged.all()
        assert found.states.tolist() == np.array(wanted).tolist()
    assert compiled.sweeps.tolist() == plain.sweeps.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_of_a_continuous_network_are_inputs_with_their_sign_changed(seed):
    """They counted in recall alone. The path is SciPy's; the energy never rises along it."""
    rng = np.random.default_rng(seed)
    units = int(rng.integers(1, 7))
    memory = ContinuousHopfield(units, gain=2.0, time_constant=0.7).store(random_patterns(rng, 1, units))
    memory.thresholds, inputs, start = rng.normal(size=(3, units))
    values = np.tanh(start)
    path = memory.relax(values, time=4.0, inputs=inputs)

    def slope(_, u):
        return (memory.weights @ np.tanh(2 * u) - u + inputs - memory.thresholds) / 0.7

    wanted = solve_ivp(slope, (0, 4), np.arctanh(values) / 2, rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(path[-1, 0], np.tanh(2 * wanted), atol=1e-7)
    assert (np.diff(memory.energy(path[:, 0], inputs)) < 1e-9).all()
