"""How close the gradients of methods that learn online come to the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import check_seed
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.training.problem import Problem


def gradient_cosines(
    network: Network,
    genomes: np.ndarray,
    batch: Batch,
    strategies: Sequence[OnlineStrategy],
    *,
    seed: int = 0,
) -> np.ndarray:
    """Return the cosine of the angle between each method's gradient of a whole batch and the exact gradient.

    Parameters
    ----------
    network : Network
    genomes : ndarray, shape (P, n)
        For instance those of a training run after each epoch. They stay as they are along the sequences.
    batch : Batch
    strategies : sequence of OnlineStrategy
        K methods; their optimisers and `update_every` have no effect.
    seed : int
        Of random methods, each of which is drawn once for each genome.

    Returns
    -------
    ndarray, shape (P, K), float64
        NaN where a gradient is zero or not finite.

    Raises
    ------
    ConfigError
        For what is no online strategy, and when a method cannot train the network.

    Notes
    -----
    Source: Marschall, Cho & Savin 2020, figure 6.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import gradient_cosines
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=3)
    >>> batch = evorrn.Batch(np.ones((2, 9, 1)), np.ones((2, 9, 1)))
    >>> cosines = gradient_cosines(network, network.init(seed=0)[None], batch, [evorrn.RTRL(), evorrn.SnAp()])
    >>> cosines.shape, bool(cosines[0, 0] > 0.999)
    ((1, 2), True)
    """
    wrong = [repr(strategy) for strategy in strategies if not isinstance(strategy, OnlineStrategy)]
    if wrong:
        raise ConfigError(
            f"strategies: expected online strategies such as evorrn.RTRL(), got {', '.join(wrong)}"
        )
    problem, rng = Problem(network, batch), np.random.default_rng(check_seed(seed))
    whole = [replace(strategy, batch_size=0, update_every=batch.steps) for strategy in strategies]
    refused = [sentence for strategy in whole for sentence in strategy.refusals(problem)]
    if refused:
        raise ConfigError(refused)
    found = np.empty((len(genomes), len(whole)))
    for row, genome in enumerate(genomes):
        _, exact = network.loss_and_gradient(genome, batch)
        for column, strategy in enumerate(whole):
            _, estimate = strategy.gradient(problem, genome, rng)
            found[row, column] = _cosine(estimate, np.asarray(exact, np.float64))
    return found


def _cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Return the cosine of the angle between two vectors, NaN where one is zero or not finite."""
    with np.errstate(all="ignore"):
        return float(np.sum(left * right) / np.sqrt(np.sum(left * left) * np.sum(right * right)))
