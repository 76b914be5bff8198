"""Long short-term memory whose output is a projection."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    sizes={"P": 8},
    state={"h": "P", "c": "H"},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "U_i U_f U_g U_o": "H P",
        "b_i b_f b_g b_o": "H",
        "W_p": "P H",
    },
    initial={"b_f": "ones"},
    recurrent="U_i U_f U_g U_o",
)
def lstm_projection(p, x, h, c):
    """Long short-term memory with a projection: h has P numbers, fewer than the H of the memory c.

    Source: Sak, Senior and Beaufays 2014, "Long short-term memory recurrent neural network architectures for
    large scale acoustic modeling", without its peepholes and its second projection, which is not fed back.
    PyTorch calls P ``proj_size``.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.b_i)  # input gate
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)  # forget gate
    g = tanh(p.W_g @ x + p.U_g @ h + p.b_g)  # candidate
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.b_o)  # output gate
    c = f * c + i * g
    return p.W_p @ (o * tanh(c)), c
