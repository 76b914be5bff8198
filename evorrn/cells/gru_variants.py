"""Gated recurrent units with fewer weights: one gate, or gates that see less."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    state={"h": "H"},
    parameters={"W_f W_n": "H I", "U_f U_n": "H H", "b_f b_n": "H"},
)
def mgu(p, x, h):
    """Minimal gated unit: one gate both resets and updates.

    Source: Zhou, Wu, Zhang and Zhou 2016, "Minimal gated unit for recurrent neural networks". A gate of 0
    keeps h. The bias of the gate starts at zero.
    """
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)  # forget gate
    n = tanh(p.W_n @ x + p.U_n @ (f * h) + p.b_n)  # candidate
    return (1 - f) * h + f * n


@cell(
    name="gru-1",
    state={"h": "H"},
    parameters={"W_n": "H I", "U_r U_z U_n": "H H", "b_r b_z b_n": "H"},
)
def gru_1(p, x, h):
    """Gated recurrent unit whose gates see the last h and a bias, and not the input.

    Source: Dey and Salem 2017, "Gate-variants of gated recurrent unit (GRU) neural networks", GRU1. As there,
    an update gate of 0 keeps h, where in `gru` a gate of 1 does.
    """
    r = sigmoid(p.U_r @ h + p.b_r)  # reset gate
    z = sigmoid(p.U_z @ h + p.b_z)  # update gate
    n = tanh(p.W_n @ x + p.U_n @ (r * h) + p.b_n)  # candidate
    return (1 - z) * h + z * n


@cell(
    name="gru-2",
    state={"h": "H"},
    parameters={"W_n": "H I", "U_r U_z U_n": "H H", "b_n": "H"},
)
def gru_2(p, x, h):
    """Gated recurrent unit whose gates see the last h alone.

    Source: Dey and Salem 2017, "Gate-variants of gated recurrent unit (GRU) neural networks", GRU2. As there,
    an update gate of 0 keeps h, where in `gru` a gate of 1 does.
    """
    r = sigmoid(p.U_r @ h)  # reset gate
    z = sigmoid(p.U_z @ h)  # update gate
    n = tanh(p.W_n @ x + p.U_n @ (r * h) + p.b_n)  # candidate
    return (1 - z) * h + z * n


@cell(
    name="gru-3",
    state={"h": "H"},
    parameters={"W_n": "H I", "U_n": "H H", "b_r b_z b_n": "H"},
)
def gru_3(p, x, h):
    """Gated recurrent unit whose gates are biases alone: learned, and the same at every time step.

    Source: Dey and Salem 2017, "Gate-variants of gated recurrent unit (GRU) neural networks", GRU3. As there,
    an update gate of 0 keeps h, where in `gru` a gate of 1 does.
    """
    r = sigmoid(p.b_r)  # reset gate
    z = sigmoid(p.b_z)  # update gate
    n = tanh(p.W_n @ x + p.U_n @ (r * h) + p.b_n)  # candidate
    return (1 - z) * h + z * n
