"""The independently recurrent network."""

from evorrn.compile.grammar import cell
from evorrn.kernels.activations import relu


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "u": "H", "b": "H"},
    initial={"u": "unit"},
    recurrent="u",
)
def indrnn(p, x, h, *, activation=relu):
    """Independently recurrent network: each unit sees its own last value alone; layers mix units.

    Source: Li, Li, Cook, Zhu and Gao 2018, "Independently recurrent neural network (IndRNN)",
    equation 1. The bound on u after each update is not applied here.
    """
    return activation(p.W_x @ x + p.u * h + p.b)
