"""Ranks over tasks, against SciPy, scikit-posthocs and the tables of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evorrn.lab.study.rank_tests import compare_ranks, critical_difference

NAMES = ("ga", "esn", "bptt", "random")


def made_up(tasks=10, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal([0.3, 0.1, 0.2, 1.5], 0.4, size=(tasks, 4))


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_is_scipys(ties):
    errors = np.round(made_up(), 0 if ties else 12)
    found = compare_ranks(NAMES, errors)
    expected = stats.friedmanchisquare(*errors.T)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.ranks.sum() == pytest.approx(10)  # k (k + 1) / 2
    assert found.names[-1] == "random" and (np.diff(found.ranks) >= 0).all()


def test_friedman_by_the_formula_without_ties():
    errors = made_up(9, 1)
    ranks = stats.rankdata(errors, axis=1).mean(axis=0)
    chi = 12 * 9 / (4 * 5) * (np.sum(ranks**2) - 4 * 5**2 / 4)  # Demšar 2006, page 11
    assert compare_ranks(NAMES, errors).statistic == pytest.approx(chi)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_has_the_papers_quantiles(k, q):
    # Demšar 2006, table 5(a), alpha = 0.05
    assert critical_difference(k, 6) / np.sqrt(k * (k + 1) / 36) == pytest.approx(q, abs=1e-3)


def test_groups_are_the_stretches_that_cannot_be_told_apart_as_scikit_posthocs_says():
    posthocs = pytest.importorskip("scikit_posthocs")
    errors = made_up(12, 2)
    found, p = compare_ranks(NAMES, errors), posthocs.posthoc_nemenyi_friedman(errors).to_numpy()
    place = [NAMES.index(name) for name in found.names]
    for i in range(4):
        for j in range(i + 1, 4):
            together = any(i in group and j in group for group in found.groups)
            assert (
                together
                == (found.ranks[j] - found.ranks[i] < found.critical)
                == (p[place[i], place[j]] > 0.05)
            )


def test_equal_errors_are_all_alike():
    found = compare_ranks(NAMES, np.ones((8, 4)))
    assert found.p == 1.0 and found.ranks.tolist() == [2.5] * 4 and found.groups == ((0, 1, 2, 3),)


def test_failures_rank_last():
    errors = made_up(8, 3)
    errors[:, 1] = np.inf
    assert compare_ranks(NAMES, errors).names[-1] == "esn"
