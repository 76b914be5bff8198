"""Elman's simple recurrent network, the exemplary cell: other files in this folder look like it."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    torch=("W_x", "W_h", "b", "0"),
)
def elman(p, x, h, *, activation=tanh):
    """Simple recurrent network: the hidden layer sees the input and its own last value.

    Source: Elman 1990, "Finding structure in time". Elman stopped the gradient at the context layer;
    here it is exact through time.
    """
    return activation(p.W_x @ x + p.W_h @ h + p.b)
