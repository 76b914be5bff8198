"""Jordan's network, whose memory is the network's own output."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H", "c": "O"},
    parameters={"W_x": "H I", "W_y": "H O", "b": "H"},
    recurrent="W_y",
)
def jordan(p, x, h, c, y, *, decay=0.0, activation=tanh):
    """Jordan network: the hidden layer sees the input and a decaying trace of past outputs.

    Source: Jordan 1986, "Serial order: a parallel distributed processing approach"; his state units
    are ``c = decay * c + y``, and decay 0 is the plain form. The last value of h is not used.
    """
    c = decay * c + y
    h = activation(p.W_x @ x + p.W_y @ c + p.b)
    return h, c
