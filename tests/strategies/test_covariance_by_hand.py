"""The updates of the covariance family against their papers' equations, written in plain NumPy."""

import numpy as np
import pytest
import scipy.linalg
from deap import cma

from evorrn import CMAES, LMMAES, SNES, XNES, SepCMAES
from evorrn.strategies.evolution.covariance import STATE, LazyStrategy

GENERATIONS = 30


def ellipsoid(points):
    return -np.square(points) @ 10.0 ** np.arange(points.shape[1])


def generations(strategy, size, count=GENERATIONS, fitness=ellipsoid, seed=3):
    """Yield the method's state with its samples, the samples, their fitness, and the state after them."""
    search = strategy.search(np.linspace(1.0, 2.0, size), seed=seed, spread=0.5)
    for _ in range(count):
        points = search.ask()
        before = search.state["method"]
        values = fitness(points)
        search.tell(points, values)
        yield before, points, values, search.state["method"]


class Individual(np.ndarray):
    """An individual for DEAP: an array with a fitness."""


def individuals(points, values):
    made = []
    for point, value in zip(points, values):
        individual = np.array(point).view(Individual)
        individual.fitness = value
        made.append(individual)
    return made


@pytest.mark.parametrize("population", [None, 7, 30])
def test_cma_es_goes_the_way_of_deap(population):
    size = 6
    mass = None
    for before, points, values, after in generations(CMAES(population=population, active=False), size):
        if mass is None:
            count = len(points) // 2
            weights = np.log(count + 0.5) - np.log(np.arange(1, count + 1))
            mass = weights.sum() ** 2 / np.square(weights).sum()
            path = (4 + mass / size) / (size + 4 + 2 * mass / size)
            deap = cma.Strategy(before["centroid"], before["sigma"], lambda_=len(points), ccum=path)
        deap.update(individuals(points, values))
        np.testing.assert_allclose(after["centroid"], deap.centroid, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(after["C"], deap.C, rtol=1e-6, atol=1e-9)
        assert after["sigma"] == pytest.approx(deap.sigma, rel=1e-7)


def test_cma_es_samples_as_deap_does():
    rng = np.random.default_rng(0)
    theirs = cma.Strategy(np.linspace(1.0, 2.0, 5), 0.5, lambda_=9)
    factor = rng.standard_normal((5, 5))
    theirs.C = factor @ factor.T
    values, theirs.B = np.linalg.eigh(theirs.C)
    theirs.diagD = np.sqrt(values)
    theirs.BD = theirs.B * theirs.diagD
    ours = LazyStrategy({**{name: getattr(theirs, name, 0) for name in STATE}})
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    wanted = theirs.generate(np.array)
    np.random.set_state(before)  # noqa: NPY002
    steps, lengths = ours.steps(7)
    np.testing.assert_allclose(theirs.centroid + 0.5 * steps, wanted, rtol=1e-13)
    np.testing.assert_allclose(np.einsum("pn,nm,pm->p", steps, np.linalg.inv(theirs.C), steps), lengths)


def weights_by_the_tutorial(population, size, mass, c_1, c_mu):
    """Return the negative weights of the tutorial's equations 49 to 53, and which of the three limits holds."""
    raw = [np.log((population + 1) / 2) - np.log(i) for i in range(population // 2 + 1, population + 1)]
    own_mass = sum(raw) ** 2 / sum(w * w for w in raw)
    limits = [1 + c_1 / c_mu, 1 + 2 * own_mass / (mass + 2), (1 - c_1 - c_mu) / (size * c_mu)]
    return [min(limits) * w / -sum(raw) for w in raw], int(np.argmin(limits))


@pytest.mark.parametrize(
    ("active", "population", "size", "limit"),
    [
        (False, 12, 5, None),
        (True, 12, 5, 0),
        (True, 7, 5, 1),
        (True, 4, 3, 1),
        (True, 90, 5, 2),
        (True, 6, 1, 1),
    ],
)
def test_cma_es_by_the_tutorial(active, population, size, limit):
    """With negative weights in each of the three cases of their size, and with a population that is odd."""
    ratio, count = None, population // 2
    fitness = lambda points: -np.square(points) @ np.linspace(1.0, 30.0, size)  # noqa: E731
    strategy = CMAES(population=population, active=active)
    for before, points, values, after in generations(strategy, size, fitness=fitness):
        if ratio is None:
            weights = np.log(count + 0.5) - np.log(np.arange(1, count + 1))
            weights /= weights.sum()
            mass = 1 / np.sum(weights**2)
            c_s = (mass + 2) / (size + mass + 3)
            damping = 1 + 2 * max(0, np.sqrt((mass - 1) / (size + 1)) - 1) + c_s
            c_c = (4 + mass / size) / (size + 4 + 2 * mass / size)
            c_1 = 2 / ((size + 1.3) ** 2 + mass)
            c_mu = min(1 - c_1, 2 * (mass - 2 + 1 / mass) / ((size + 2) ** 2 + mass))
            usual = np.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
            mean, sigma, matrix, p_s, p_c, ratio = before["centroid"], 0.5, np.eye(size), 0.0, 0.0, 1
            worse, which = weights_by_the_tutorial(population, size, mass, c_1, c_mu)
            assert limit in (None, which)
        ranked = (points[np.argsort(-values)] - mean) / sigma
        steps = ranked[:count]
        step = weights @ steps
        mean = mean + sigma * step
        root = np.linalg.inv(scipy.linalg.sqrtm(matrix))
        p_s = (1 - c_s) * p_s + np.sqrt(c_s * (2 - c_s) * mass) * root @ step
        limit = (1.4 + 2 / (size + 1)) * usual * np.sqrt(1 - (1 - c_s) ** (2 * ratio))
        h = float(np.linalg.norm(p_s) < limit)
        p_c = (1 - c_c) * p_c + h * np.sqrt(c_c * (2 - c_c) * mass) * step
        rank_mu = sum(w * np.outer(y, y) for w, y in zip(weights, steps))
        kept = 1 - c_1 - c_mu + (1 - h) * c_1 * c_c * (2 - c_c)
        if active:
            kept -= c_mu * sum(worse)
            for w, y in zip(worse, ranked[count:]):
                rank_mu = rank_mu + w * size / np.sum((root @ y) ** 2) * np.outer(y, y)
        matrix = kept * matrix + c_1 * np.outer(p_c, p_c) + c_mu * rank_mu
        sigma *= np.exp(c_s / damping * (np.linalg.norm(p_s) / usual - 1))
        ratio += 1
        np.testing.assert_allclose(after["centroid"], mean, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(after["C"], matrix, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(after["ps"], p_s, rtol=1e-6, atol=1e-8)
        assert after["sigma"] == pytest.approx(sigma, rel=1e-7)
        assert np.linalg.eigvalsh(after["C"]).min() > 0


def test_cma_es_decomposes_when_the_matrix_has_changed_and_samples_from_what_it_decomposed():
    size = 40
    decomposed, matrices = [], [np.eye(size)]
    for before, _, _, after in generations(CMAES(), size, 12):
        decomposed.append(after["decomposed"])
        matrices.append(after["C"])
        made = (before["B"] * before["diagD"] ** 2) @ before["B"].T
        np.testing.assert_allclose(made, matrices[before["decomposed"]], atol=1e-12)
    mass = 1 / np.square(_weights(15 // 2, 0.5)).sum()
    rates = 2 / ((size + 1.3) ** 2 + mass) + 2 * (mass - 2 + 1 / mass) / ((size + 2) ** 2 + mass)
    gap = int(0.5 / (size * rates))
    assert gap >= 2
    assert decomposed == [g - g % gap for g in range(1, 13)]


def _weights(count, offset):
    raw = np.log(count + offset) - np.log(np.arange(1, count + 1))
    return raw / raw.sum()


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize(("size", "population"), [(1, 4), (4, 8), (30, 14), (3, 60), (6, 9), (2, 2)])
def test_sep_cma_es_is_cma_es_of_a_diagonal_with_rates_times_a_third_of_n_plus_2(size, population, active):
    variance = None
    strategy = SepCMAES(population=population, active=active)
    for before, points, values, after in generations(strategy, size):
        if variance is None:
            weights = _weights(population // 2, 1.0)
            mass = 1 / np.sum(weights**2)
            full = 2 / (mass * (size + np.sqrt(2)) ** 2)
            full += (1 - 1 / mass) * min(1, (2 * mass - 1) / ((size + 2) ** 2 + mass))
            learning = min(1.0, full * (size + 2) / 3)
            c_c, c_s = 4 / (size + 4), (mass + 2) / (size + mass + 3)
            damping = 1 + 2 * max(0, np.sqrt((mass - 1) / (size + 1)) - 1) + c_s
            usual = np.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
            mean, sigma, variance, p_s, p_c, count = before["mean"], 0.5, np.ones(size), 0.0, 0.0, 1
            c_1, c_mu = learning / mass, learning * (1 - 1 / mass)
            worse = [0.0]
            if active and c_mu > 0:
                worse, _ = weights_by_the_tutorial(population, size, mass, c_1, c_mu)
        ranked = (points[np.argsort(-values, kind="stable")] - mean) / sigma
        steps = ranked[: population // 2]
        step = sum(w * y for w, y in zip(weights, steps))
        mean = mean + sigma * step
        p_s = (1 - c_s) * p_s + np.sqrt(c_s * (2 - c_s) * mass) * step / np.sqrt(variance)
        limit = (1.4 + 2 / (size + 1)) * usual * np.sqrt(1 - (1 - c_s) ** (2 * count))
        h = float(np.linalg.norm(p_s) < limit)
        p_c = (1 - c_c) * p_c + h * np.sqrt(c_c * (2 - c_c) * mass) * step
        rank_mu = sum(w * y**2 for w, y in zip(weights, steps))
        for w, y in zip(worse, ranked[population // 2 :]):
            rank_mu = rank_mu + w * size / np.sum(y**2 / variance) * y**2
        variance = (1 - c_1 - c_mu * (1 + sum(worse))) * variance + c_1 * p_c**2 + c_mu * rank_mu
        assert (variance > 0).all()
        sigma *= np.exp(min(1.0, c_s / damping * (np.linalg.norm(p_s) / usual - 1)))
        count += 1
        np.testing.assert_allclose(after["mean"], mean, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(after["variance"], variance, rtol=1e-6)
        assert after["sigma"] == pytest.approx(sigma, rel=1e-7)


@pytest.mark.parametrize(("size", "population"), [(60, 16), (200, 19), (2, 6)])
def test_lm_ma_es_applies_its_directions_one_by_one(size, population):
    directions = None
    fitness = lambda points: -np.square(points) @ np.linspace(1.0, 50.0, size)  # noqa: E731
    for before, points, values, after in generations(
        LMMAES(population=population), size, 40, fitness=fitness
    ):
        noise = before["noise"]
        if directions is None:
            count = 4 + int(3 * np.log(size))
            weights = _weights(population // 2, 0.5)
            mass = 1 / np.sum(weights**2)
            c = min(2 * population / size, 0.5)
            a = [min(1 / (1.5**j * size), 0.5) for j in range(count)]
            b = [min(population / (4.0**j * size), 0.5) for j in range(count)]
            mean, sigma, path, directions, t = before["mean"], 0.5, 0.0, [np.zeros(size)] * count, 0
        turned = []
        for z in noise:
            d = z
            for j in range(min(t, count)):
                d = (1 - a[j]) * d + a[j] * directions[j] * (directions[j] @ d)
            turned.append(d)
        np.testing.assert_allclose(points, mean + sigma * np.array(turned), rtol=1e-8, atol=1e-9)
        order = np.argsort(-values)[: population // 2]
        mean = mean + sigma * sum(w * turned[k] for w, k in zip(weights, order))
        drift = sum(w * noise[k] for w, k in zip(weights, order))
        path = (1 - c) * path + np.sqrt(mass * c * (2 - c)) * drift
        directions = [
            (1 - b[j]) * v + np.sqrt(mass * b[j] * (2 - b[j])) * drift for j, v in enumerate(directions)
        ]
        sigma *= np.exp(min(1.0, c / 2 * (path @ path / size - 1)))
        t += 1
        np.testing.assert_allclose(after["mean"], mean, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(after["directions"], directions, rtol=1e-8, atol=1e-9)
        assert after["sigma"] == pytest.approx(sigma, rel=1e-8)


def _utilities(values):
    """Return the utilities of NES for individuals of different fitness."""
    count = len(values)
    raw = np.maximum(0, np.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    placed = np.empty(count)
    placed[np.argsort(-values)] = raw / raw.sum() - 1 / count
    return placed


@pytest.mark.parametrize(("size", "population"), [(1, 5), (4, 8), (6, 40), (40, 12)])
def test_xnes_by_the_exponential_of_a_whole_matrix(size, population):
    shape = None
    rate = (9 + 3 * np.log(size)) / (5 * size * np.sqrt(size))
    fitness = lambda points: -np.square(points) @ np.linspace(1.0, 50.0, size)  # noqa: E731
    for before, points, values, after in generations(XNES(population=population), size, fitness=fitness):
        if shape is None:
            mean, sigma, shape = before["mean"], 0.5, np.eye(size)
        noise = before["noise"]
        np.testing.assert_allclose(points, [mean + sigma * shape @ z for z in noise], rtol=1e-9, atol=1e-9)
        utilities = _utilities(values)
        mean = mean + sigma * shape @ (utilities @ noise)
        gradient = sum(u * (np.outer(z, z) - np.eye(size)) for u, z in zip(utilities, noise))
        trace = np.trace(gradient) / size
        sigma *= np.exp(rate / 2 * trace)
        shape = shape @ scipy.linalg.expm(rate / 2 * (gradient - trace * np.eye(size)))
        np.testing.assert_allclose(after["mean"], mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(after["shape"], shape, rtol=1e-8, atol=1e-10)
        assert after["sigma"] == pytest.approx(sigma, rel=1e-9)
        assert np.linalg.det(after["shape"]) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("size", "population"), [(1, 5), (5, 20), (40, 12)])
def test_snes_by_hand(size, population):
    fitness = lambda points: -np.square(points) @ np.linspace(1.0, 50.0, size)  # noqa: E731
    rate = (3 + np.log(size)) / (5 * np.sqrt(size))
    sigma = None
    for before, points, values, after in generations(SNES(population=population), size, fitness=fitness):
        if sigma is None:
            mean, sigma = before["mean"], np.full(size, 0.5)
        noise = (points - mean) / sigma
        utilities = _utilities(values)
        gradient = sum(u * (z**2 - 1) for u, z in zip(utilities, noise))
        mean = mean + sigma * sum(u * z for u, z in zip(utilities, noise))
        sigma = sigma * np.exp(rate / 2 * gradient)
        np.testing.assert_allclose(after["mean"], mean, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(after["sigma"], sigma, rtol=1e-6)


def test_snes_with_raw_fitness_takes_it_in_units_of_its_deviation():
    for before, _, values, after in generations(SNES(population=10, shaping="raw"), 3, 5):
        weights = (values - values.mean()) / values.std() / 10
        moved = before["mean"] + before["sigma"] * (weights @ before["noise"])
        np.testing.assert_allclose(after["mean"], moved, rtol=1e-9)
