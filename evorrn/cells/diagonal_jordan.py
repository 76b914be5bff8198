"""The network of the early experiments with guessed weights: units of their own that see the output."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import relu, sigmoid, tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_y": "H O", "u": "H", "b": "H"},
    recurrent="W_y u",
)
def diagonal_jordan(p, x, h, y, *, activation=sigmoid):
    """Diagonal Jordan network: each unit sees the input, the squashed output and itself.

    Source: Hochreiter and Schmidhuber 1996, "Bridging long time lags by weight guessing and 'Long
    short-term memory'", architecture A2. The output that is fed back is relu(tanh(y)), which begins at 0
    and ends at 1 as theirs does; their logistic unit would begin at one half here. Their output also sees the
    input: make the network with direct=True.
    """
    return activation(p.W_x @ x + p.W_y @ relu(tanh(y)) + p.u * h + p.b)
