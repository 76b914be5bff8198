"""The independently recurrent network."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import relu


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "u": "H", "b": "H"},
    initial={"u": "unit"},
    recurrent="u",
)
def indrnn(p, x, h, *, activation=relu):
    """Independently recurrent network: each unit sees the input and only its own last value.

    Source: Li, Li, Cook, Zhu and Gao 2018, "Independently recurrent neural network (IndRNN)",
    equation 1. The paper bounds u after each update; the gradient strategies
    do so with `recurrent_bound`.
    """
    return activation(p.W_x @ x + p.u * h + p.b)
