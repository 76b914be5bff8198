"""Comparisons of two leaves, or of two trees: a layer that sees the vectors of a pair, plain, and with a tensor of products."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.ops import maximum
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


@cell(
    state={"h": "H", "v": "D"},
    parameters={"W_x": "D I", "M_l M_r": "D D", "c": "D", "W_l W_r": "H D", "b": "H"},
    initial={"M_l M_r": "half_identity"},
    sizes={"D": 25},
)
def tree_comparison(p, x, left, right, *, activation=leaky_relu):
    """Comparison layer on trees: each node has a vector of D numbers, and H units compare those of its two children.

    Source: Bowman, Potts and Manning 2015, section 2: words, composition of two vectors, and a comparison layer with weights
    of its own on top of two trees. Here every node compares its children; only the comparison at a node with a target
    counts, which in a pair of sentences is the root. The weights of the children begin near half the identity, as in the
    cell `recursive`.
    """
    h = activation(p.W_l @ left.v + p.W_r @ right.v + p.b)
    inner = maximum(left.there, right.there)
    node = activation(p.M_l @ left.v + p.M_r @ right.v + p.c)
    return h, inner * node + (1 - inner) * (p.W_x @ x)


@cell(
    state={"h": "H", "v": "D"},
    parameters={
        "W_x": "D I",
        "M_l M_r": "D D",
        "T": "D D D",
        "c": "D",
        "W_l W_r": "H D",
        "V": "H D D",
        "b": "H",
    },
    initial={"M_l M_r": "half_identity"},
    sizes={"D": 25},
)
def tensor_tree_comparison(p, x, left, right, *, activation=leaky_relu):
    """Tensor comparison layer on trees: composition and comparison also see the products of the two vectors' numbers.

    Source: Bowman, Potts and Manning 2015, section 2, their tree-structured tensor network. All else is as in the cell
    `tree-comparison`.
    """
    products = einsum("kij,i,j->k", p.V, left.v, right.v)
    h = activation(products + p.W_l @ left.v + p.W_r @ right.v + p.b)
    inner = maximum(left.there, right.there)
    composed = einsum("kij,i,j->k", p.T, left.v, right.v)
    node = activation(composed + p.M_l @ left.v + p.M_r @ right.v + p.c)
    return h, inner * node + (1 - inner) * (p.W_x @ x)
