"""The bandit: its best return by dynamic programming over beliefs, and the policy that reaches it."""

from functools import cache

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.playing import starts_of
from evorrn_tasks.bandit import Bandit
from evorrn_tasks.common.chance import following

FIRST, SECOND = np.eye(2)


def best_by_planning(p, pulls):
    """Return the value of the best policy, found by looking at both arms at every belief."""

    @cache
    def value(left, odds):  # odds: how many more payments speak for arm 1 than for arm 2
        if left == 0:
            return 0.0
        ratio = (p / (1 - p)) ** odds if p < 1 else np.inf if odds > 0 else 0.0 if odds < 0 else 1.0
        first = 1.0 if np.isinf(ratio) else ratio / (1 + ratio)
        options = []
        for better, sign in ((first, 1), (1 - first, -1)):
            paid = better * p + (1 - better) * (1 - p)
            options.append(
                paid * (1 + value(left - 1, odds + sign)) + (1 - paid) * value(left - 1, odds - sign)
            )
        return max(options)

    return value(pulls, 0)


@pytest.mark.parametrize(("p", "pulls"), [(0.75, 20), (0.6, 1), (0.6, 7), (0.9, 30), (1.0, 20)])
def test_the_best_return_is_that_of_planning(p, pulls):
    assert Bandit(probability=p, time_limit=pulls).best_return() == pytest.approx(
        best_by_planning(p, pulls), rel=1e-12
    )


def play(bandit, starts, choose):
    """Return the return of a policy that sees the sum of all observations, from each start."""
    returns = np.zeros(len(starts))
    for place, start in enumerate(starts):
        state, total, seen = np.array(start), np.zeros(2), np.zeros(2)
        for _ in range(bandit.time_limit):
            bandit.observe(state, seen)
            total += seen
            reward, done = bandit.step(state, choose(total))
            returns[place] += reward
            assert not done
    return returns


def test_following_the_evidence_is_paid_the_best_return():
    bandit = Bandit(test=4000)
    evidence = play(
        bandit, starts_of(bandit, 0).test, lambda seen: np.array([seen[0] - seen[1], seen[1] - seen[0]])
    )
    error = evidence.std() / np.sqrt(len(evidence))
    assert abs(evidence.mean() - bandit.best_return()) < 4 * error and error < 0.1
    same = play(bandit, starts_of(bandit, 0).test[:1000], lambda seen: FIRST)
    assert abs(same.mean() - 10) < 4 * same.std() / np.sqrt(1000)
    assert bandit.references[0].value == pytest.approx(bandit.best_return(), abs=1e-3)


@pytest.mark.parametrize("arm", [0, 1])
def test_a_certain_arm_always_pays_and_is_seen_to(arm):
    bandit = Bandit(probability=1.0, time_limit=5)
    good = next(start for start in starts_of(bandit, 0).train if start[0] == arm + 1)
    state, seen = np.array(good), np.full(2, np.nan)
    bandit.observe(state, seen)
    assert seen.tolist() == [0, 0]
    assert bandit.step(state, np.eye(2)[arm]) == (1.0, False)
    bandit.observe(state, seen)
    assert seen.tolist() == np.eye(2)[arm].tolist()
    assert bandit.step(state, np.eye(2)[1 - arm]) == (0.0, False)
    bandit.observe(state, seen)
    assert seen.tolist() == (-np.eye(2)[1 - arm]).tolist()
    assert bandit.step(state, np.full(2, np.nan)) == (0.0, False)


def test_chance_is_the_minimal_standard():
    seed = 1.0
    for _ in range(10_000):
        seed = following(seed)
    assert seed == 1043618065  # Park and Miller 1988, the check that they give


def test_a_chance_of_one_half_has_no_better_arm():
    with pytest.raises(ConfigError, match=r"task\.probability: expected a value > 0\.5"):
        evorrn.task("bandit", probability=0.5)
