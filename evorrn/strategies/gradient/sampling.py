"""Scheduled sampling: how the share of a decoder's own symbols grows with the epochs, in place of true ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from evorrn.base.errors import ConfigError

if TYPE_CHECKING:
    from evorrn.network.network import Network


def constant(epoch: int, period: int) -> float:
    """Return 1: the largest share from the first epoch on."""
    return 1.0


def linear(epoch: int, period: int) -> float:
    """Return a factor that grows from 0 to 1 in `period` epochs."""
    return min(1.0, epoch / period)


def exponential(epoch: int, period: int) -> float:
    """Return a factor that goes half of the way that is left to 1 in every `period` epochs."""
    return 1 - 0.5 ** (epoch / period)


def inverse_sigmoid(epoch: int, period: int) -> float:
    """Return ``1 - k / (k + exp(epoch / k))`` with ``k = period``: slow at first, then fast, then slow."""
    return 1 / (1 + period * math.exp(-epoch / period))


GROWTHS: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "exponential": exponential,
    "inverse-sigmoid": inverse_sigmoid,
}
"""Source: Bengio, Vinyals, Jaitly & Shazeer 2015, section 2.4, where the share of true symbols is one less these."""


def check_sampling(network: Network) -> None:
    """Raise ConfigError for a network that writes no symbols and so has no own ones to see."""
    if not network.decodes:
        raise ConfigError(
            f"strategy.sampling: expected 0, since {network} writes no symbols; it needs an encoder-decoder"
        )
