"""Genomes of a network: drawn at random, divided into named blocks, and as weights of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError, ShapeError, unknown
from evorrn.base.settings import check_seed
from evorrn.compile.cell import Cell
from evorrn.compile.initial import initialiser
from evorrn.exchange import torch as torch_weights
from evorrn.network.architecture import Architecture


class Genomes(Architecture):
    """An architecture whose genomes can be drawn, divided into blocks and exchanged with PyTorch."""

    def init(self, seed: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return a random genome, shape (n,), from either a seed or a generator.

        Raises
        ------
        EvorrnError
            When both or neither are given.

        Examples
        --------
        >>> import evorrn
        >>> evorrn.Network(inputs=1, outputs=1, hidden=2).init(seed=0).shape
        (11,)
        """
        if (seed is None) == (rng is None) or not (rng is None or isinstance(rng, np.random.Generator)):
            raise EvorrnError("init: expected either a seed or rng=Generator")
        return self.init_many(np.random.default_rng(check_seed(seed)) if rng is None else rng, 1)[0]

    def init_many(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes, shape (count, n).

        Each block is drawn for all genomes at once. So the genomes differ from those of `count` calls of `init`.
        """
        parts = []
        for block in self.layout:
            units = self.readout_width if block.layer is None else self.hidden[block.layer]
            draw = initialiser(self._initial[block.name])
            drawn = draw(rng, count, self.blocks[block.name], units)
            parts.append(drawn.reshape(count, -1))
        return np.concatenate(parts, axis=1).astype(self.dtype)

    def unpack(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return the named blocks of a genome (n,), or of a gradient (n,), as views.

        Raises
        ------
        ShapeError
            When the array is not of shape (n,).

        Examples
        --------
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> blocks = network.unpack(network.init(seed=0))
        >>> {name: block.shape for name, block in blocks.items()}
        {'layer0.W_x': (2, 1), 'layer0.W_h': (2, 2), 'layer0.b': (2,), 'readout.W': (1, 2), 'readout.b': (1,)}
        """
        array = np.asarray(genome)
        if array.shape != (self.size,):
            raise ShapeError(f"genome: expected shape ({self.size},), got {array.shape}")
        views, start = {}, 0
        for name, shape in self.blocks.items():
            stop = start + int(np.prod(shape))
            views[name] = array[start:stop].reshape(shape)
            start = stop
        return views

    def pack(self, blocks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the genome (n,) with the given blocks; the inverse of `unpack`.

        Raises
        ------
        ShapeError
            When blocks are missing, unknown or of a wrong shape; the error lists all of them.

        Examples
        --------
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> genome = network.init(seed=0)
        >>> bool((network.pack(network.unpack(genome)) == genome).all())
        True
        """
        problems = [unknown("block", name, self.blocks) for name in blocks if name not in self.blocks]
        for name, shape in self.blocks.items():
            if name not in blocks:
                problems.append(f"block {name!r} of shape {shape} is missing")
            elif np.shape(blocks[name]) != shape:
                problems.append(f"block {name!r}: expected shape {shape}, got {np.shape(blocks[name])}")
        if problems:
            raise ShapeError("\n".join(problems))
        parts = [np.asarray(blocks[name]).ravel() for name in self.blocks]
        kind = np.result_type(*parts)
        return np.concatenate(parts).astype(kind if kind.kind == "f" else self.dtype)

    def from_torch(self, state_dict: Mapping[str, Any]) -> np.ndarray:
        """Return the genome (n,) with the weights of a PyTorch state dict of ``rnn.*`` and ``readout.*`` entries."""
        return self.pack(
            torch_weights.from_torch(self._torch_cell, self.layout, self.blocks, state_dict)
        ).astype(self.dtype)

    def to_torch(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return the weights of a genome (n,), or a gradient (n,), as arrays by PyTorch's names."""
        return torch_weights.to_torch(self._torch_cell, self.layout, self.unpack(genome))

    @property
    def _torch_cell(self) -> Cell:
        """The cell of all layers; raise ConfigError for networks that PyTorch has in no module."""
        if len(set(self.cells)) > 1:
            raise ConfigError("to PyTorch go networks of one cell; use unpack and pack for others")
        foreign = {name for layer in self._layers for name in layer.options.functions.values()} - {
            "tanh",
            "relu",
        }
        if foreign:
            raise ConfigError(
                f"PyTorch's recurrent layers have tanh and relu, no {', '.join(sorted(foreign))}"
            )
        if self.reads == "all" and len(self.cells) > 1:
            raise ConfigError(
                'reads="all": PyTorch\'s recurrent layers show only the output of the last layer'
            )
        return self.cell
