"""Jordan's network, whose memory is its own output."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H", "c": "O"},
    parameters={"W_x": "H I", "W_y": "H O", "b": "H"},
    recurrent="W_y",
    ranges={"decay": (0, 1)},
)
def jordan(p, x, h, c, y, *, decay=0.0, activation=tanh):
    """Jordan network: the hidden layer sees the input and a decaying trace of past outputs.

    Source: Jordan 1986, "Serial order: a parallel distributed processing approach"; the state units are
    ``c = decay * c + y``, and with decay 0 the hidden layer sees the last output. The last h is not used.
    """
    c = decay * c + y
    h = activation(p.W_x @ x + p.W_y @ c + p.b)
    return h, c
