"""Elman's simple recurrent network. This file is the model for other cells."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    torch=("W_x", "W_h", "b", "0"),
)
def elman(p, x, h, *, activation=tanh):
    """Simple recurrent network: the hidden layer sees the input and its own last value.

    Source: Elman 1990, "Finding structure in time". Elman does not propagate the gradient through the
    context layer; here the gradient is exact through time.
    """
    return activation(p.W_x @ x + p.W_h @ h + p.b)
