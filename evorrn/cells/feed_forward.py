"""The feed-forward network: one hidden layer without memory."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "b": "H"},
    recurrent="",
)
def feed_forward(p, x, h, *, activation=tanh):
    """Feed-forward layer: the hidden layer sees the input of this time step alone; the last h is not used.

    Source: Rumelhart, Hinton and Williams 1986, "Learning internal representations by error propagation".
    """
    return activation(p.W_x @ x + p.b)
