"""The fully recurrent network of Williams and Zipser."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    initial={"W_x W_h b": "uniform"},
)
def fully_recurrent(p, x, h, *, activation=sigmoid):
    """Fully recurrent network: every unit sees the input, every unit's last value and a constant 1.

    Source: Williams and Zipser 1989, "A learning algorithm for continually running fully recurrent neural
    networks": new ``h = f(W [x; h; 1])``. The columns of W stand here in three blocks, W_x, W_h and b. All
    weights start small and random, as in the paper; the bound 1/sqrt(H) is a choice made here. In the paper
    some of the units are the outputs; here the readout of the network sees all units, and a readout of ones
    and zeros selects some. The paper numbers time so that the new values are those of step t + 1.
    """
    return activation(p.W_x @ x + p.W_h @ h + p.b)
