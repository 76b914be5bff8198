"""The class Block: a named matrix or vector of weights. A genome is the sequence of a network's blocks."""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.compile.op import Shape

INPUT, RECURRENT, BIAS, READOUT, OTHER = "input", "recurrent", "bias", "readout", "other"
"""The roles that a block can have."""


@dataclass(frozen=True)
class Block:
    """One matrix or vector of the weights of a network.

    Attributes
    ----------
    layer : int or None
        Number of the layer, None for the readout.
    parameter : str
        Name in the equations of the cell, for instance ``"W_i"``.
    shape : tuple of str
        Symbolic dimensions.
    role : str
        ``"input"`` if it multiplies the input of the layer, ``"recurrent"`` if the state acts on itself through it,
        ``"bias"`` for a vector that is only added, ``"readout"`` for a matrix of the readout, ``"other"`` otherwise.
    initial : str
        Name of its default initialisation.
    place : str
        Where it is, for instance ``"layer0.forward"``, if that does not follow from the layer.
    """

    layer: int | None
    parameter: str
    shape: Shape
    role: str
    initial: str
    place: str = ""

    @property
    def name(self) -> str:
        """The name of the block in a genome, ``"layer0.W_i"`` or ``"readout.W"``."""
        place = "readout" if self.layer is None else f"layer{self.layer}"
        return f"{self.place or place}.{self.parameter}"

    @property
    def square(self) -> bool:
        """Whether the block is a matrix from the units of a layer to the same units."""
        return len(self.shape) == 2 and self.shape[0] == self.shape[1] != "O"
