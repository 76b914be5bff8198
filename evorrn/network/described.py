"""What a network is, in a few lines: for a terminal and for a notebook."""

from __future__ import annotations

import math

from evorrn.base.summary import Summary
from evorrn.base.text import amount
from evorrn.network.differentiated import DifferentiatedNetwork


class DescribedNetwork(DifferentiatedNetwork):
    """A network that describes itself."""

    def summary(self) -> Summary:
        """Return the settings of the network and the blocks of its genome; `print` shows them, and a notebook too.

        Examples
        --------
        >>> import evorrn
        >>> print(evorrn.Network(inputs=1, outputs=1, hidden=2).summary())
        Network(1 -> elman 2 -> 1, 11 genes)
          options    activation = tanh
          loss       mse
          dtype      float32
          state      2 numbers a sequence
          time step  41 multiply-adds
        <BLANKLINE>
          block       shape  genes  role       initial
          layer0.W_x  2 x 1      2  input      glorot
          layer0.W_h  2 x 2      4  recurrent  orthogonal
          layer0.b    2          2  bias       zeros
          readout.W   1 x 2      2  readout    glorot
          readout.b   1          1  bias       zeros
        """
        flags = [name for name in ("direct", "feedback") if getattr(self, name)]
        more = [] if self.biases else ["no biases"]
        more += ["the readout sees all layers"] if self.reads == "all" else []
        given = self.cell_options
        options = "; ".join(
            ", ".join(f"{name} = {value}" for name, value in one.items())
            for one in (given if isinstance(given, list) else [given])
        )
        facts = [
            ("options", options),
            ("connections", ", ".join([*flags, *more])),
            ("loss", self.loss_name),
            ("fed back", self.fed_back if self.feeds_back else ""),
            ("dtype", self.dtype.name),
            ("state", f"{self.state_size} numbers a sequence"),
            ("time step", f"{amount(self.step_work[0])} multiply-adds"),
        ]
        rows = []
        for block in self.layout:
            shape = self.blocks[block.name]
            size = " x ".join(map(str, shape))
            rows.append((block.name, size, str(math.prod(shape)), block.role, str(self._initial[block.name])))
        columns = ("block", "shape", "genes", "role", "initial")
        return Summary(repr(self), [(name, text) for name, text in facts if text], columns, "llrll", rows)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
