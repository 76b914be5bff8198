"""Units at the edge of stability: a share of each state is an orthogonal turn of the last one."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    name="es2n",
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "Q": "H H", "b": "H"},
    recurrent="W_h",
    initial={"Q": "orthogonal"},
    ranges={"proximity": (0, 1)},
)
def es2n(p, x, h, *, proximity=0.1, activation=tanh):
    """Units whose state is the last one turned by an orthogonal matrix Q, moved by the share `proximity` to a new activation.

    A small share keeps the eigenvalues of the step near the unit circle, and so a long memory. As a reservoir only W_h has the
    spectral radius; Q stays orthogonal.

    Source: Ceni and Gallicchio 2024, "Edge of stability echo state network".
    """
    return (1 - proximity) * (p.Q @ h) + proximity * activation(p.W_x @ x + p.W_h @ h + p.b)
