"""Every update against the paper's own loop, one individual and one gene at a time.

Nothing but random numbers is taken from the package: they are drawn again from the generator in the state.
"""

import math

import numpy as np
import pytest

from evorrn import (
    PGPE,
    SHADE,
    DifferentialEvolution,
    OnePlusOneES,
    OpenAIES,
    ParticleSwarm,
    TruncationGA,
)
from evorrn.strategies.base import generator

GENES = 4


def loss(x):
    """A function that is not symmetric in its genes."""
    return sum((1 + 3 * j) * (value - 0.3 * j) ** 2 for j, value in enumerate(x)) + math.sin(3 * x[0])


def fitness_of(genomes):
    return np.array([-loss(genome) for genome in genomes])


def generations(strategy, count, seed=3, spread=1.0):
    """Yield the state before each generation, its genomes, the state between and the state after."""
    state = strategy.search(np.linspace(-1, 2, GENES), seed=seed, spread=spread).state
    for _ in range(count):
        asked, genomes = strategy.ask(state)
        after = strategy.tell(asked, genomes, fitness_of(genomes))
        yield state, genomes, asked, after
        state = after


def centred(values):
    """Ranks from -0.5 to 0.5 by counting who is worse; no two are equal here."""
    return [sum(other < value for other in values) / (len(values) - 1) - 0.5 for value in values]


def adam_by_hand(x, gradient, first, second, count, rate, beta1, beta2):
    """One step of Kingma and Ba's algorithm 1 on lists of numbers, changed in place."""
    for j in range(len(x)):
        first[j] = beta1 * first[j] + (1 - beta1) * gradient[j]
        second[j] = beta2 * second[j] + (1 - beta2) * gradient[j] ** 2
        x[j] -= rate * (first[j] / (1 - beta1**count)) / (math.sqrt(second[j] / (1 - beta2**count)) + 1e-8)


def test_openai_es():
    strategy = OpenAIES(population=6, sigma=0.2, rate=0.05, weight_decay=8.0, momentum=0.8, decay=0.95)
    mean, first, second = list(np.linspace(-1, 2, GENES)), [0.0] * GENES, [0.0] * GENES
    for count, (before, genomes, _, after) in enumerate(generations(strategy, 6), start=1):
        noise = generator(before).standard_normal((3, GENES))
        points = [[mean[j] + 0.2 * noise[k][j] for j in range(GENES)] for k in range(3)]
        points += [[mean[j] - 0.2 * noise[k][j] for j in range(GENES)] for k in range(3)]
        np.testing.assert_allclose(genomes, points, rtol=1e-12, atol=1e-14)
        ranks = centred([-loss(point) for point in points])
        gradient = []
        for j in range(GENES):
            ascent = sum((ranks[k] - ranks[k + 3]) * noise[k][j] for k in range(3)) / 6
            gradient.append(8.0 * mean[j] - ascent)
        adam_by_hand(mean, gradient, first, second, count, 0.05, 0.8, 0.95)
        np.testing.assert_allclose(after["method"]["mean"], mean, rtol=1e-10, atol=1e-12)


@pytest.mark.oracle
def test_openai_es_steps_as_torch():
    torch = pytest.importorskip("torch")
    strategy = OpenAIES(population=8, sigma=0.3, rate=0.07, weight_decay=0.05)
    mean = torch.tensor(np.linspace(-1, 2, GENES), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([mean], lr=0.07, weight_decay=0.05)
    for _, genomes, asked, after in generations(strategy, 5):
        ranks = np.array(centred(list(fitness_of(genomes))))
        estimate = (ranks[:4] - ranks[4:]) @ asked["method"]["noise"] / 8
        mean.grad = torch.tensor(-estimate)
        adam.step()
        np.testing.assert_allclose(after["method"]["mean"], mean.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("optimiser", ["clipup", "adam"])
def test_pgpe(optimiser):
    settings = {"sigma": 0.4, "rate": 0.2, "max_speed": 0.25, "rate_sigma": 0.9, "change": 0.15}
    strategy = PGPE(population=8, optimiser=optimiser, momentum=0.7, **settings)
    mean, sigma = list(np.linspace(-1, 2, GENES)), [0.4] * GENES
    velocity, first, second = [0.0] * GENES, [0.0] * GENES, [0.0] * GENES
    capped = fast = False
    for count, (before, genomes, _, after) in enumerate(generations(strategy, 8), start=1):
        noise = generator(before).standard_normal((4, GENES))
        epsilon = [[sigma[j] * noise[k][j] for j in range(GENES)] for k in range(4)]
        points = [[mean[j] + e[j] for j in range(GENES)] for e in epsilon]
        points += [[mean[j] - e[j] for j in range(GENES)] for e in epsilon]
        np.testing.assert_allclose(genomes, points, rtol=1e-10, atol=1e-12)
        ranks = centred([-loss(point) for point in points])
        towards, wider = [0.0] * GENES, [0.0] * GENES
        for k in range(4):
            for j in range(GENES):
                towards[j] += (ranks[k] - ranks[k + 4]) / 2 * epsilon[k][j] / 4
                wider[j] += (
                    (ranks[k] + ranks[k + 4]) / 2 * (epsilon[k][j] ** 2 - sigma[j] ** 2) / sigma[j] / 4
                )
        if optimiser == "adam":
            adam_by_hand(mean, [-g for g in towards], first, second, count, 0.2, 0.7, 0.999)
        else:
            length = math.sqrt(sum(g * g for g in towards))
            velocity = [0.7 * v + 0.2 * g / length for v, g in zip(velocity, towards)]
            speed = math.sqrt(sum(v * v for v in velocity))
            fast |= speed > 0.25
            velocity = [v * min(1.0, 0.25 / speed) for v in velocity]
            mean = [m + v for m, v in zip(mean, velocity)]
        for j in range(GENES):
            change = 0.9 * wider[j]
            capped |= abs(change) > 0.15 * sigma[j]
            sigma[j] += max(-0.15 * sigma[j], min(0.15 * sigma[j], change))
        np.testing.assert_allclose(after["method"]["mean"], mean, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(after["method"]["sigma"], sigma, rtol=1e-10)
    assert capped and (fast or optimiser == "adam")  # both limits were reached


def test_truncation_ga():
    strategy = TruncationGA(population=9, parents=3, sigma=0.25)
    parents, elite = None, None
    for before, genomes, _, after in generations(strategy, 5):
        if parents is None:
            points = genomes.tolist()
            np.testing.assert_array_equal(points[0], np.linspace(-1, 2, GENES))
        else:
            rng = generator(before)
            chosen, noise = rng.integers(3, size=8), rng.standard_normal((8, GENES))
            points = [elite]
            for i in range(8):
                points.append([parents[chosen[i]][j] + 0.25 * noise[i][j] for j in range(GENES)])
            np.testing.assert_allclose(genomes, points, rtol=1e-12)
        ranked = sorted(points, key=loss)
        parents, elite = ranked[:3], ranked[0]
        np.testing.assert_allclose(after["method"]["parents"], parents, rtol=1e-12)
        np.testing.assert_allclose(after["method"]["elite"], [elite], rtol=1e-12)


@pytest.mark.parametrize("children", [1, 5])
def test_one_plus_one_es(children):
    strategy = OnePlusOneES(population=children, sigma=0.5, factor=1.4)
    parent, sigma, seen = None, 0.5, set()
    for before, genomes, _, after in generations(strategy, 30):
        if parent is None:
            parent = genomes[0].tolist()
        else:
            noise = generator(before).standard_normal((children, GENES))
            best, power = None, 0.0
            for i in range(children):
                child = [parent[j] + sigma * noise[i][j] for j in range(GENES)]
                np.testing.assert_allclose(genomes[i], child, rtol=1e-12)
                success = loss(child) < loss(parent)
                seen.add(success)
                power += (1.0 if success else -0.25) / children
                best = child if best is None or loss(child) < loss(best) else best
            parent = best if loss(best) < loss(parent) else parent
            sigma *= 1.4**power
        np.testing.assert_allclose(after["method"]["kept"], [parent], rtol=1e-12)
        assert after["method"]["sigma"] == pytest.approx(sigma, rel=1e-10)
    assert seen == {True, False}


def remaining(count, taken, draw):
    """Return the number with index `draw` among those not taken."""
    return [number for number in range(count) if number not in taken][draw]


@pytest.mark.parametrize("variant", ["rand/1", "best/1", "current-to-best/1"])
def test_differential_evolution(variant):
    strategy = DifferentialEvolution(population=7, variant=variant, factor=0.6, crossover=0.4)
    kept = None
    for before, genomes, _, after in generations(strategy, 6):
        if kept is None:
            kept = genomes.tolist()
        else:
            rng, count = generator(before), 3 if variant == "rand/1" else 2
            draws = [rng.integers(7 - 1 - k, size=7) for k in range(count)]
            chances, sure = rng.random((7, GENES)), rng.integers(GENES, size=7)
            best, following = min(kept, key=loss), []
            for i, x in enumerate(kept):
                taken = [i]
                for k in range(count):
                    taken.append(remaining(7, taken, draws[k][i]))
                others = [kept[number] for number in taken[1:]]
                trial = list(x)
                for j in range(GENES):
                    if variant == "rand/1":
                        mutant = others[0][j] + 0.6 * (others[1][j] - others[2][j])
                    elif variant == "best/1":
                        mutant = best[j] + 0.6 * (others[0][j] - others[1][j])
                    else:
                        mutant = x[j] + 0.6 * (best[j] - x[j]) + 0.6 * (others[0][j] - others[1][j])
                    if chances[i][j] < 0.4 or j == sure[i]:
                        trial[j] = mutant
                np.testing.assert_allclose(genomes[i], trial, rtol=1e-10, atol=1e-12)
                following.append(trial if loss(trial) < loss(x) else x)
            kept = following
        np.testing.assert_allclose(after["method"]["kept"], kept, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(after["method"]["kept_fitness"], [-loss(x) for x in kept], rtol=1e-9)


def test_shade():
    count, entries = 12, 3
    strategy = SHADE(population=count, memory=entries, best_share=0.4)
    kept, archive, place, redrawn, shed = None, [], 0, False, False
    memory_f, memory_cr = [0.5] * entries, [0.5] * entries
    for before, genomes, asked, after in generations(strategy, 25, seed=5):
        if kept is None:
            kept = genomes.tolist()
            continue
        rng = generator(before)
        picked = rng.integers(entries, size=count)
        normal = rng.standard_normal(count)
        cr = [min(1.0, max(0.0, memory_cr[m] + 0.1 * z)) for m, z in zip(picked, normal)]
        f = [memory_f[m] + 0.1 * z for m, z in zip(picked, rng.standard_cauchy(count))]
        while any(value <= 0 for value in f):
            redrawn = True
            low = [i for i, value in enumerate(f) if value <= 0]
            for i, z in zip(low, rng.standard_cauchy(len(low))):
                f[i] = memory_f[picked[i]] + 0.1 * z
        f = [min(1.0, value) for value in f]
        rng.random(count)  # orders equal individuals, of which there are none here
        ranked = sorted(kept, key=loss)
        share = [2 / count + (0.4 - 2 / count) * u for u in rng.random(count)]
        leading = rng.integers([max(2, int(p * count)) for p in share])
        first = rng.integers(count - 1, size=count)
        second = rng.integers(count + len(archive) - 2, size=count)
        chances, sure = rng.random((count, GENES)), rng.integers(GENES, size=count)
        following, good_f, good_cr, gains, displaced = [], [], [], [], []
        for i, x in enumerate(kept):
            leader = ranked[leading[i]]
            one = remaining(count, [i], first[i])
            two = remaining(count + len(archive), [i, one], second[i])
            away = kept[two] if two < count else archive[two - count]
            trial = list(x)
            for j in range(GENES):
                if chances[i][j] < cr[i] or j == sure[i]:
                    trial[j] = x[j] + f[i] * (leader[j] - x[j]) + f[i] * (kept[one][j] - away[j])
            np.testing.assert_allclose(genomes[i], trial, rtol=1e-8, atol=1e-10)
            if loss(trial) < loss(x):
                good_f.append(f[i])
                good_cr.append(cr[i])
                gains.append(loss(x) - loss(trial))
                displaced.append(x)
            following.append(trial if loss(trial) <= loss(x) else x)
        kept, archive = following, archive + displaced
        if len(archive) > count:
            shed = True
            staying = generator(asked).choice(len(archive), count, replace=False)
            archive = [archive[index] for index in sorted(staying)]
        if gains:
            weights = [gain / sum(gains) for gain in gains]
            squares = sum(w * value**2 for w, value in zip(weights, good_f))
            memory_f[place] = squares / sum(w * value for w, value in zip(weights, good_f))
            memory_cr[place] = sum(w * value for w, value in zip(weights, good_cr))
            place = (place + 1) % entries
        method = after["method"]
        np.testing.assert_allclose(method["kept"], kept, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(method["archive"], np.reshape(archive, (-1, GENES)), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(method["memory_factor"], memory_f, rtol=1e-6)
        np.testing.assert_allclose(method["memory_crossover"], memory_cr, rtol=1e-6)
    assert redrawn and shed and len(set(memory_f)) == entries


@pytest.mark.parametrize("neighbours", ["all", "ring"])
def test_particle_swarm(neighbours):
    strategy = ParticleSwarm(population=6, neighbours=neighbours, cognitive=1.8, social=2.4)
    best = position = velocity = None
    total = 1.8 + 2.4
    constriction = 2 / abs(2 - total - math.sqrt(total**2 - 4 * total))
    for before, genomes, _, after in generations(strategy, 8):
        if position is None:
            position, velocity = genomes.tolist(), before["method"]["velocity"].tolist()
            best = [list(x) for x in position]
        else:
            rng = generator(before)
            own, common = rng.random((6, GENES)), rng.random((6, GENES))
            leaders = []
            for i in range(6):
                seen = range(6) if neighbours == "all" else (i, (i - 1) % 6, (i + 1) % 6)
                leaders.append(min((best[k] for k in seen), key=loss))
            for i in range(6):
                for j in range(GENES):
                    pull = 1.8 * own[i][j] * (best[i][j] - position[i][j])
                    pull += 2.4 * common[i][j] * (leaders[i][j] - position[i][j])
                    velocity[i][j] = constriction * (velocity[i][j] + pull)
                    position[i][j] += velocity[i][j]
            best = [list(x) if loss(x) < loss(b) else b for x, b in zip(position, best)]
            np.testing.assert_allclose(genomes, position, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(after["method"]["kept"], best, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(after["method"]["velocity"], velocity, rtol=1e-7, atol=1e-9)


def test_the_usual_constriction():
    """Clerc and Kennedy's 0.7298, the damping of a particle without attraction."""
    strategy = ParticleSwarm(population=2)
    state = strategy.search(np.zeros(1), seed=0).state
    state["method"].update(
        asked=1, kept=np.full((2, 1), 3.0), position=np.full((2, 1), 3.0), velocity=np.ones((2, 1))
    )
    _, genomes = strategy.ask(state)
    np.testing.assert_allclose(genomes, 3.72984, atol=5e-6)
