"""Recursive networks: a node of a binary tree from its two children; plain, and with a tensor of products."""

from evorrn.compile.calls import concatenate, einsum
from evorrn.compile.cell import cell
from evorrn.compile.ops import identity, maximum
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_l W_r": "H H", "b": "H"},
    initial={"W_l W_r": "half_identity"},
)
def recursive(p, x, left, right, *, activation=tanh, leaf=identity):
    """Recursive network: words at leaves, and nodes that see their two children.

    Source: Socher, Lin, Ng and Manning 2011, "Parsing natural scenes and natural language with recursive neural
    networks", equation 2: a node is ``f(W [c1; c2] + b)``; here with two products. A leaf is ``W_x x``, the vector of
    its word where the input is one of several words; ``leaf=tanh`` gives equation 1 without its bias. A node with
    children does not read its input, and a child that is absent is zero. The weights of the children begin near half
    the identity, as in Socher et al. 2013.
    """
    inner = maximum(left.there, right.there)
    node = activation(p.W_l @ left.h + p.W_r @ right.h + p.b)
    return inner * node + (1 - inner) * leaf(p.W_x @ x)


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_l W_r": "H H", "V": "H H+H H+H", "b": "H"},
    initial={"W_l W_r": "half_identity"},
)
def rntn(p, x, left, right, *, activation=tanh, leaf=identity):
    """Recursive neural tensor network: a node also sees the products of all pairs of its children's units.

    Source: Socher, Perelygin, Wu, Chuang, Manning, Ng and Potts 2013, "Recursive deep models for semantic
    compositionality over a sentiment treebank", section 4.3: a node is ``f([b; c]' V [b; c] + W [b; c])``; here with a
    bias, as in Bowman, Potts and Manning 2015, equation 2. Leaves are those of the cell `recursive`.
    """
    inner = maximum(left.there, right.there)
    c = concatenate(left.h, right.h)
    node = activation(einsum("kij,i,j->k", p.V, c, c) + p.W_l @ left.h + p.W_r @ right.h + p.b)
    return inner * node + (1 - inner) * leaf(p.W_x @ x)
