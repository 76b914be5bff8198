"""Dropout between layers: units that the next layer and the readout do not see during an update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError

if TYPE_CHECKING:
    from evorrn.network.network import Network


class LayerDropout:
    """Draws factors of the genes by which layers and readout see the units below them.

    A dropped unit is one whose weights to the next layer and to the readout are zero; those of the others are divided by the share
    that is kept, so that sums keep their mean. The weights within a layer stay.

    Parameters
    ----------
    network : Network
    share : float
        The probability with which a unit is dropped.

    Raises
    ------
    ConfigError
        When a layer sees the one below in another way than through products of weights.

    Notes
    -----
    Source: Zaremba, Sutskever & Vinyals 2014: recurrent connections are not dropped; one draw for all time steps: Gal &
    Ghahramani 2016. Deviation: one draw for all sequences of a minibatch.
    """

    def __init__(self, network: Network, share: float) -> None:
        self._network, self._share = network, share
        self._readers = _readers(network)
        if not _complete(network, self._readers):
            raise ConfigError(
                f"strategy: layer_dropout needs layers that see the units below through products of weights alone, unlike those of "
                f"{network}; input_dropout serves it"
            )

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return factors of all genes, shape (n,)."""
        factors = {name: np.ones(shape) for name, shape in self._network.blocks.items()}
        for names in self._readers:
            width = factors[names[0]].shape[-1]
            kept = (rng.random(width) >= self._share) / (1 - self._share)
            for name in names:
                factors[name] *= kept
        return np.asarray(self._network.pack(factors), np.float64)


def _readers(network: Network) -> list[list[str]]:
    """Return the blocks through which the units of each layer are seen by the next one, and last those of the readout."""
    found = []
    for layer in range(1, len(network.hidden)):
        names = []
        for block in network.layout:
            below = "I" if block.place else f"H{layer - 1}"  # a pass of its own calls its inputs I
            if block.layer == layer and len(block.shape) > 1 and block.shape[-1] == below:
                names.append(block.name)
        found.append(names)
    return [*found, ["readout.W"]]


def _complete(network: Network, readers: list[list[str]]) -> bool:
    """Return whether the units of each layer are seen by the next one through these blocks alone."""
    rng = np.random.default_rng(0)
    shape = (2, 5) if network.embedding else (2, 5, network.inputs)
    x = rng.integers(0, network.inputs, shape) if network.embedding else rng.standard_normal(shape)
    if network.reads == "all" or network.direct or network.feedback:
        return all(
            readers
        )  # outputs depend on the input in other ways, so that no more can be told from them
    for names in readers[:-1]:
        blocks = network.unpack(np.array(network.init(seed=0)))
        for name in names:
            blocks[name][...] = 0
        first, second = network.predict(network.pack(blocks), x)
        if not names or not np.allclose(first, second, atol=1e-6):
            return False
    return True
