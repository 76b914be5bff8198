"""Pairs of ways of training: each tested run by run, all corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.study.statistics import LEVEL, holm, paired_differences, signed_ranks


@dataclass(frozen=True)
class Difference:
    """A tested pair, `a` the one with the smaller sum of ranks.

    Attributes
    ----------
    p, uncorrected : float
        Two-sided p-value of Wilcoxon's signed-rank test, after and before Holm's correction over all pairs.
    holds : bool
        Whether `p` is at most 0.05.
    ahead : int
        Seeds, or tasks, in which `a` was strictly better.
    """

    a: str
    b: str
    p: float
    holds: bool
    uncorrected: float
    ahead: int


def tested(pairs: Sequence[tuple[str, str, np.ndarray, np.ndarray]]) -> list[Difference]:
    """Return the tests of pairs given as two names and two arrays (n,) of errors, lower is better."""
    found = []
    for a, b, first, second in pairs:
        test = signed_ranks(paired_differences(first, second))
        if test.positive > test.negative:  # the one with the better median may still be behind seed by seed
            a, b, first, second = b, a, second, first
        found.append((a, b, test.p, int((first < second).sum())))
    corrected = holm([raw for _, _, raw, _ in found])
    return [
        Difference(a, b, float(p), bool(p <= LEVEL), raw, ahead)
        for (a, b, raw, ahead), p in zip(found, corrected)
    ]
