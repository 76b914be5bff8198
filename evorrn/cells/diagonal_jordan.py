"""The network of the experiments with guessed weights: no links between units, and fed-back output."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import relu, sigmoid, tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_y": "H O", "u": "H", "b": "H"},
    recurrent="W_y u",
)
def diagonal_jordan(p, x, h, y, *, activation=sigmoid):
    """Diagonal Jordan network: each unit sees the input, the squashed output and its own last value.

    Source: Hochreiter and Schmidhuber 1996, "Bridging long time lags by weight guessing and 'Long
    short-term memory'", architecture A2. The fed-back output is relu(tanh(y)), which is between 0 and 1 and
    starts at 0, as in the paper; the logistic function, which the paper uses, would start at one half here. With a loss of classes this is so for a network
    with ``fed_back="output"``; by default y is then a probability.
    In the paper the output also sees the input: use a network with ``direct=True``.
    """
    return activation(p.W_x @ x + p.W_y @ relu(tanh(y)) + p.u * h + p.b)
