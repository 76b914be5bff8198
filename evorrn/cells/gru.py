"""The gated recurrent unit in both of its published forms."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    state={"h": "H"},
    parameters={"W_r W_z W_n": "H I", "U_r U_z U_n": "H H", "b_r b_z b_n c_n": "H"},
    torch=("W_r W_z W_n", "U_r U_z U_n", "b_r b_z b_n", "0 0 c_n"),
)
def gru(p, x, h):
    """Gated recurrent unit, reset after the product (PyTorch's and cuDNN's form).

    Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", first version.
    """
    r = sigmoid(p.W_r @ x + p.U_r @ h + p.b_r)  # reset gate
    z = sigmoid(p.W_z @ x + p.U_z @ h + p.b_z)  # update gate
    n = tanh(p.W_n @ x + p.b_n + r * (p.U_n @ h + p.c_n))  # candidate
    return (1 - z) * n + z * h


@cell(
    state={"h": "H"},
    parameters={"W_r W_z W_n": "H I", "U_r U_z U_n": "H H", "b_r b_z b_n": "H"},
)
def gru_reset_before(p, x, h):
    """Gated recurrent unit, reset before the product.

    Source: Cho et al. 2014, third version; Chung et al. 2014, "Empirical evaluation of gated recurrent
    neural networks on sequence modeling", whose update gate is one minus this one.
    """
    r = sigmoid(p.W_r @ x + p.U_r @ h + p.b_r)  # reset gate
    z = sigmoid(p.W_z @ x + p.U_z @ h + p.b_z)  # update gate
    n = tanh(p.W_n @ x + p.U_n @ (r * h) + p.b_n)  # candidate
    return (1 - z) * n + z * h
