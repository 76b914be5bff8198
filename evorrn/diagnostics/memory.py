"""Memory capacity: how much of its past inputs a network holds in what its readout sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial import Legendre

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed
from evorrn.network import arguments
from evorrn.network.network import Network

TRANSIENT = 200
"""Least number of steps that are run before the first one that counts."""

Factor = tuple[int, int]
"""The lag of an input, and which input it is."""


class MemoryCapacity(float):
    """A memory capacity.

    Attributes
    ----------
    by_delay : ndarray, shape (delays,)
        The capacity at the delays 1, 2, ..., which add up to the memory capacity.
    """

    by_delay: np.ndarray


def memory_capacity(
    network: Network,
    genome: np.ndarray,
    delays: int = 200,
    steps: int = 20_000,
    seed: int = 0,
    *,
    amplitude: float = 1.0,
) -> MemoryCapacity:
    """Return the linear memory capacity: the sum over delays of how well the input of then can be read off now.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
        Its readout has no effect.
    delays : int
        The longest delay.
    steps : int
        Time steps that are fitted.
    seed : int
        Seed of the inputs, which are independent and uniform in ``[-amplitude, amplitude]``.
    amplitude : float

    Returns
    -------
    MemoryCapacity
        A float with the attribute `by_delay` (delays,): for each delay k the share of the variance of ``u_(t-k)``
        that the best linear readout of the units explains at time t, from 0 to 1; of several inputs the sum over the
        inputs. The capacity is at most the number of units that the readout sees, but for the error of the estimate.

    Raises
    ------
    ConfigError
        When there are too few steps, or a number is out of range.

    Notes
    -----
    Source: Jaeger 2001, "Short term memory in echo state networks", GMD report 152. Deviations: inputs at different
    delays are uncorrelated, but a sample of them is not quite, so they are made orthogonal (the nearest orthonormal
    matrix is taken) before readouts are fitted to them; and what units that hold no input explain by chance is subtracted.
    Without these every delay, however long, has ``units / steps`` on average, which adds 0.5 to the capacity of 50 units
    at the default numbers.

    Examples
    --------
    One linear unit that sees the input and nothing else remembers nothing of the past:

    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import memory_capacity
    >>> network = evorrn.Network(1, 1, cell="feed-forward", hidden=1, dtype="float64")
    >>> abs(memory_capacity(network, network.init(seed=0), delays=20)) < 0.02
    True
    """
    _check(amplitude=amplitude)
    delays = whole_number("delays", delays, network.inputs)
    steps = whole_number("steps", steps, network.inputs * (delays + 1) + network.state_size)
    fitted = _Fitted(network, genome, delays, steps, (seed, amplitude))
    (shares,) = fitted.shares([[[factor] for factor in _factors(delays, network.inputs)]])
    by_delay = shares.reshape(delays + 1, network.inputs).sum(axis=1)[1:]
    capacity = MemoryCapacity(by_delay.sum())
    capacity.by_delay = by_delay
    return capacity


def processing_capacity(
    network: Network,
    genome: np.ndarray,
    delays: Mapping[int, int] | None = None,
    steps: int = 20_000,
    seed: int = 0,
    *,
    amplitude: float = 1.0,
) -> dict[int, float]:
    """Return the information processing capacity by degree: how well products of past inputs can be read off.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
        Its readout has no effect.
    delays : mapping of int to int
        ``{degree: longest delay}``; ``{1: 100, 2: 30, 3: 10}`` by default.
    steps, seed, amplitude
        Those of `memory_capacity`.

    Returns
    -------
    dict of int to float
        For each degree d the sum of capacities over all products of normalised Legendre polynomials of inputs at
        different delays, from 0 on, whose degrees add up to d. The sum over all degrees is at most the number of units
        that the readout sees, but for the error of the estimate.

    Raises
    ------
    ConfigError
        When there are too few steps, or a number is out of range.

    Notes
    -----
    Source: Dambre, Verstraeten, Schrauwen and Massar 2012, "Information processing capacity of dynamical systems".
    Deviation: where they set capacities below a threshold to zero, these are corrected as in `memory_capacity`, so that
    a product that cannot be read off adds zero on average.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn.diagnostics import processing_capacity
    >>> options = {"activation": evorrn.identity}
    >>> network = evorrn.Network(1, 1, hidden=3, cell_options=options, dtype="float64")
    >>> found = processing_capacity(network, 0.5 * network.init(seed=0), {1: 40, 2: 5})
    >>> {degree: round(abs(capacity), 1) for degree, capacity in found.items()}
    {1: 3.0, 2: 0.0}
    """
    chosen = {1: 100, 2: 30, 3: 10} if delays is None else dict(delays)
    steps = whole_number("steps", steps, network.inputs + network.state_size)
    _check(amplitude=amplitude, degree=min(chosen, default=0))
    _check(**{f"delays[{degree}]": longest + 1 for degree, longest in chosen.items()})
    groups = [
        list(combinations_with_replacement(_factors(chosen[degree], network.inputs), degree))
        for degree in sorted(chosen)
    ]
    fitted = _Fitted(network, genome, max(chosen.values()), steps, (seed, amplitude))
    return {degree: float(each.sum()) for degree, each in zip(sorted(chosen), fitted.shares(groups))}


def _factors(longest: int, inputs: int) -> list[Factor]:
    """Return lag and index of every input up to the longest lag."""
    return [(lag, series) for lag in range(longest + 1) for series in range(inputs)]


class _Fitted:
    """The units of a network under random inputs, to which linear readouts are fitted.

    Parameters
    ----------
    drawn : tuple of (int, float)
        Seed and amplitude of the inputs.
    """

    def __init__(
        self, network: Network, genome: np.ndarray, longest: int, steps: int, drawn: tuple[int, float]
    ) -> None:
        arguments.check_every(network, "capacity")
        if not network.inputs:
            raise ConfigError(
                "capacity: expected a network with inputs, whose past it could hold, got one without"
            )
        seed, amplitude = drawn
        self.first = max(longest, TRANSIENT)
        shape = (self.first + steps, network.inputs)
        self.series = np.random.default_rng(check_seed(seed)).uniform(-1, 1, shape)
        units = network.readout_states(genome, amplitude * self.series[None])[0, self.first :]
        if not np.isfinite(units).all():
            raise ConfigError("genome: expected a network whose states are finite under random inputs")
        units = np.float64(units) - units.mean(axis=0, dtype=np.float64)
        with one_thread():
            basis, sizes, _ = np.linalg.svd(units, full_matrices=False)
        self.basis = basis[:, sizes > sizes[0] * max(units.shape) * np.finfo(network.dtype).eps]

    def product(self, factors: Sequence[Factor]) -> np.ndarray:
        """Return a product (steps,) of Legendre polynomials of inputs; a factor that appears d times has degree d."""
        whole = np.ones(len(self.basis))
        for lag, series in dict.fromkeys(factors):
            then = self.series[self.first - lag : len(self.series) - lag, series]
            whole *= Legendre.basis(factors.count((lag, series)))(then)
        return whole

    def shares(self, groups: Sequence[Sequence[Sequence[Factor]]]) -> list[np.ndarray]:
        """Return the share of the variance of each product that a linear readout explains, for each group of products.

        The products of a group are made orthogonal to the groups before it and to each other.
        """
        steps, rank = self.basis.shape
        count = sum(map(len, groups))
        if count + rank >= steps:
            raise ConfigError(
                f"steps: expected more than {count + rank} for {count} targets and {rank} units, got {steps}"
            )
        before, found = np.empty((steps, 0)), []
        with one_thread():
            for group in groups:
                targets = np.stack([self.product(factors) for factors in group], axis=1)
                targets -= targets.mean(axis=0)
                targets -= before @ (before.T @ targets)
                values, vectors = np.linalg.eigh(targets.T @ targets)
                whitening = vectors / np.sqrt(values) @ vectors.T
                found.append(np.square(self.basis.T @ targets @ whitening).sum(axis=0))
                if len(found) < len(groups):
                    before = np.concatenate([before, targets @ whitening], axis=1)
        by_chance = count / steps
        explained = (sum(each.sum() for each in found) - rank * by_chance) / (1 - by_chance)
        return [each - (rank - explained) / steps for each in found]


def _check(**numbers: float) -> None:
    """Raise ConfigError for numbers that are not positive."""
    problems = [
        f"{name}: expected more than 0, got {value!r}" for name, value in numbers.items() if not value > 0
    ]
    if problems:
        raise ConfigError(problems)
