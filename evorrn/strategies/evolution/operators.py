"""Compiled crossover and mutation of array chromosomes, with the signatures of DEAP's operators.

An operator takes one or two chromosomes and its parameters, changes the chromosomes in place and
returns them as a tuple. DEAP's operators draw from Python's global generator; these take the random
numbers as an array, so that the same numbers give the same children.

`units` is the number of each gene's unit (see `evorrn.strategies.evolution.units`): genes of one unit
share one random number. With one unit for each gene the operators do what DEAP's do.
"""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached

Pair = tuple[np.ndarray, np.ndarray]


@cached
def simulated_binary(
    first: np.ndarray, second: np.ndarray, eta: float, units: np.ndarray, draws: np.ndarray
) -> Pair:
    """Cross two chromosomes by simulated binary crossover.

    Parameters
    ----------
    first, second : ndarray, shape (n,), float64
        Changed in place; the sum of both is unchanged in every gene.
    eta : float
        Distribution index; children are nearer to their parents when it is larger.
    units : ndarray, shape (n,), int64
    draws : ndarray, shape (number of units,), float64
        Uniform on [0, 1).

    Notes
    -----
    Source: K. Deb and R. B. Agrawal, Simulated Binary Crossover for Continuous Search Space, Complex
    Systems 9 (1995): spread factor beta with density 0.5 (eta + 1) beta^eta below 1 and
    0.5 (eta + 1) / beta^(eta + 2) above. Every gene is crossed, as in DEAP's ``cxSimulatedBinary``.
    """
    power = 1.0 / (eta + 1.0)
    spread = np.empty(draws.size)
    for unit in range(draws.size):
        draw = draws[unit]
        ratio = 2.0 * draw if draw <= 0.5 else 1.0 / (2.0 * (1.0 - draw))
        spread[unit] = ratio**power
    for gene in range(first.size):
        beta = spread[units[gene]]
        one, two = first[gene], second[gene]
        first[gene] = 0.5 * ((1.0 + beta) * one + (1.0 - beta) * two)
        second[gene] = 0.5 * ((1.0 - beta) * one + (1.0 + beta) * two)
    return first, second


@cached
def blend(first: np.ndarray, second: np.ndarray, alpha: float, units: np.ndarray, draws: np.ndarray) -> Pair:
    """Cross two chromosomes by blend crossover: each gene of the children lies on the line through the parents'.

    Parameters
    ----------
    first, second : ndarray, shape (n,), float64
        Changed in place.
    alpha : float
        Largest distance of a child beyond its parents, as a share of their distance.
    units : ndarray, shape (n,), int64
    draws : ndarray, shape (number of units,), float64
        Uniform on [0, 1).

    Notes
    -----
    Source: L. J. Eshelman and J. D. Schaffer, Real-Coded Genetic Algorithms and Interval-Schemata, FOGA 2
    (1993), BLX-alpha, in the form of DEAP's ``cxBlend``: both children come from one draw and are symmetric
    about the parents' mean, where the paper draws one child.
    """
    for gene in range(first.size):
        gamma = (1.0 + 2.0 * alpha) * draws[units[gene]] - alpha
        one, two = first[gene], second[gene]
        first[gene] = (1.0 - gamma) * one + gamma * two
        second[gene] = gamma * one + (1.0 - gamma) * two
    return first, second


@cached
def uniform(
    first: np.ndarray, second: np.ndarray, share: float, units: np.ndarray, draws: np.ndarray
) -> Pair:
    """Swap each unit of two chromosomes with probability `share`.

    Parameters
    ----------
    first, second : ndarray, shape (n,), float64
        Changed in place.
    share : float
        Probability that a unit is swapped.
    units : ndarray, shape (n,), int64
    draws : ndarray, shape (number of units,), float64
        Uniform on [0, 1).

    Notes
    -----
    Source: G. Syswerda, Uniform Crossover in Genetic Algorithms, ICGA 3 (1989).
    """
    for gene in range(first.size):
        # Selected by value, because a branch on random numbers would be mispredicted.
        one, two, swapped = first[gene], second[gene], draws[units[gene]] < share
        first[gene] = two if swapped else one
        second[gene] = one if swapped else two
    return first, second


@cached
def one_point(first: np.ndarray, second: np.ndarray, units: np.ndarray, draws: np.ndarray) -> Pair:
    """Swap all units after a random cut; with a single unit nothing is swapped.

    Parameters
    ----------
    first, second : ndarray, shape (n,), float64
        Changed in place.
    units : ndarray, shape (n,), int64
    draws : ndarray, shape (number of units,), float64
        Uniform on [0, 1); the first number chooses the cut, before unit 1, 2, ... or the last.

    Notes
    -----
    Source: J. H. Holland, Adaptation in Natural and Artificial Systems (1975), chapter 6.
    """
    cut = 1 + int(draws[0] * (draws.size - 1))
    for gene in range(first.size):
        one, two, swapped = first[gene], second[gene], units[gene] >= cut
        first[gene] = two if swapped else one
        second[gene] = one if swapped else two
    return first, second


@cached
def gaussian(
    chromosome: np.ndarray,
    size: float,
    rate: float,
    units: np.ndarray,
    draws: np.ndarray,
    noise: np.ndarray,
) -> tuple[np.ndarray]:
    """Add normal noise to the units chosen for mutation, each chosen with probability `rate`.

    Parameters
    ----------
    chromosome : ndarray, shape (n,), float64
        Changed in place.
    size : float
        Standard deviation of the change of a gene.
    rate : float
        Probability that a unit is chosen.
    units : ndarray, shape (n,), int64
    draws : ndarray, shape (number of units,), float64
        Uniform on [0, 1).
    noise : ndarray, shape (number of genes in the chosen units,), float64
        Standard normal.
    """
    used = 0
    for gene in range(chromosome.size):
        if draws[units[gene]] < rate:
            chromosome[gene] += size * noise[used]
            used += 1
    return (chromosome,)
