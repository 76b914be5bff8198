"""Long short-term memory."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    state={"h": "H", "c": "H"},
    parameters={"W_i W_f W_g W_o": "H I", "U_i U_f U_g U_o": "H H", "b_i b_f b_g b_o": "H"},
    initial={"b_f": "ones"},
    torch=("W_i W_f W_g W_o", "U_i U_f U_g U_o", "b_i b_f b_g b_o", "0 0 0 0"),
)
def lstm(p, x, h, c):
    """Long short-term memory with forget gates, without peepholes; forget bias 1 at the start.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; forget gates: Gers, Schmidhuber
    and Cummins 2000, "Learning to forget". The gradient is exact, not cut at the gates as in 1997.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.b_i)  # input gate
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)  # forget gate
    g = tanh(p.W_g @ x + p.U_g @ h + p.b_g)  # candidate
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.b_o)  # output gate
    c = f * c + i * g
    return o * tanh(c), c
