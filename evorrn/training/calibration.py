"""Calibration: errors on validation data of networks that were chosen without these data.

The network of a run is the one with the lowest loss on validation, so that its own errors there are smaller than those on
new data. For prediction intervals validation is cut into two halves: the network that is best on one of them is judged
on the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evorrn.data.batch import Batch

if TYPE_CHECKING:
    from evorrn.network.network import Network


class Chosen(NamedTuple):
    """A network with its genome (n,)."""

    network: Network
    genome: np.ndarray


Calibrating = tuple[Chosen, Chosen] | None
"""The best networks on the first and on the second half of validation."""


def halves(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the scored steps of the first and of the second half, masks (B, T); sequences follow each other."""
    order = np.cumsum(batch.scored).reshape(batch.scored.shape)
    early = order <= batch.scored.sum() / 2
    return batch.scored & early, batch.scored & ~early


class Calibration:
    """Keeps the best genome on each half of validation while a run goes on.

    Parameters
    ----------
    valid : Batch

    Notes
    -----
    Source: the two-fold case of cross-conformal prediction, Vovk (2015), "Cross-conformal predictors", where folds are of the
    training data; here nothing but the choice of the network depends on the fold. The passes are not charged to the
    meter, as those that compute the scores at the end are not.
    """

    def __init__(self, valid: Batch) -> None:
        self._halves = [dataclasses.replace(valid, mask=mask) for mask in halves(valid)]
        self._last: tuple[bytes, dict[str, float]] | None = None
        self._best: list[dict[str, Any]] = [{"loss": math.inf, "genome": None, "options": {}}] * 2

    def see(self, network: Network, genome: np.ndarray, options: Mapping[str, float]) -> None:
        """Judge a genome (n,) of a network with numeric options of its cell; one that follows itself costs nothing."""
        mark = genome.tobytes(), dict(options)
        if mark == self._last:
            return
        self._last = mark
        for place, half in enumerate(self._halves):
            loss = network.loss(genome, half)
            if loss < self._best[place]["loss"]:
                self._best[place] = {"loss": loss, "genome": np.array(genome), "options": dict(options)}

    def state(self) -> list[dict[str, Any]]:
        """Return the best genomes as plain data, for checkpoints."""
        return list(self._best)

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Go on from what `state` returned."""
        self._best = [dict(best) for best in state]

    def chosen(self, network: Callable[[Mapping[str, float]], Network]) -> Calibrating:
        """Return the best networks on the first and on the second half; None before there was one on each.

        `network` returns the network with some numeric options of its cell.
        """
        if any(best["genome"] is None for best in self._best):
            return None
        one, two = (Chosen(network(best["options"]), best["genome"]) for best in self._best)
        return one, two
