"""Blocks: the named matrices and vectors that lie one after the other in a genome."""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.compile.ops import Shape

INPUT, RECURRENT, BIAS, READOUT, OTHER = "input", "recurrent", "bias", "readout", "other"
"""Roles of a block."""


@dataclass(frozen=True)
class Block:
    """One matrix or vector of a network's weights.

    Attributes
    ----------
    layer : int or None
        None for the readout.
    parameter : str
        As the cell's equations call it, for instance ``"W_i"``.
    shape : tuple of str
        Symbolic dimensions.
    role : str
        ``"input"`` where it multiplies the layer's input, ``"recurrent"`` where the state acts on itself through it,
        ``"bias"`` where it is a vector that is only added, ``"readout"`` for the matrices of the readout,
        ``"other"`` for everything else.
    initial : str
        Name of its initialisation where nothing else is asked for.
    """

    layer: int | None
    parameter: str
    shape: Shape
    role: str
    initial: str

    @property
    def name(self) -> str:
        """The name of the block in a genome, ``"layer0.W_i"`` or ``"readout.W"``."""
        return ("readout" if self.layer is None else f"layer{self.layer}") + "." + self.parameter

    @property
    def square(self) -> bool:
        """Whether it is a matrix from the units of a layer to themselves."""
        return len(self.shape) == 2 and self.shape[0] == self.shape[1] != "O"
