"""Comparisons of two leaves: a layer that sees the vectors of a pair, plain, and with a tensor of products."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.kernels.activations import leaky_relu


@cell(
    state={"h": "H", "v": "D"},
    parameters={"W_x": "D I", "W_l W_r": "H D", "b": "H"},
    sizes={"D": 15},
)
def comparison(p, x, left, right, *, activation=leaky_relu):
    """Comparison layer: H units that see the vectors, of D numbers, of two leaves.

    Source: Bowman, Potts and Manning 2015, "Recursive neural networks can learn logical semantics", section 2: a pair is
    ``f(M [left; right] + b)``, here with two products; the layer is wider than the vectors that it compares. The vector of
    a leaf is ``W_x x``, that of its word where the input is one of several words. A pair has no vector, so a pair of pairs
    compares nothing.
    """
    h = activation(p.W_l @ left.v + p.W_r @ right.v + p.b)
    return h, p.W_x @ x


@cell(
    state={"h": "H", "v": "D"},
    parameters={"W_x": "D I", "W_l W_r": "H D", "V": "H D D", "b": "H"},
    sizes={"D": 15},
)
def tensor_comparison(p, x, left, right, *, activation=leaky_relu):
    """Tensor comparison layer: a comparison that also sees the products of the two vectors' numbers.

    Source: Bowman, Potts and Manning 2015, section 2: a pair is ``f(left' V right + M [left; right] + b)``. Leaves are those
    of the cell `comparison`.
    """
    products = einsum("kij,i,j->k", p.V, left.v, right.v)
    h = activation(products + p.W_l @ left.v + p.W_r @ right.v + p.b)
    return h, p.W_x @ x
