"""Long short-term memory on linked steps: binary trees, and grids of two dimensions."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    state={"h": "H", "c": "H"},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "U_il U_ir U_fll U_flr U_frl U_frr U_gl U_gr U_ol U_or": "H H",
        "b_i b_f b_g b_o": "H",
    },
    initial={"b_f": "ones"},
)
def tree_lstm(p, x, left, right):
    """Long short-term memory on binary trees: a node has a forget gate for each of its two children.

    Source: Tai, Socher and Manning 2015, "Improved semantic representations from tree-structured long short-term memory
    networks", equations 9 to 14 with N = 2. Every node reads its input, which is zero where a task has no word; a child
    that is absent is zero. Initial forget bias 1, as in `lstm`.
    """
    i = sigmoid(p.W_i @ x + p.U_il @ left.h + p.U_ir @ right.h + p.b_i)
    f_left = sigmoid(p.W_f @ x + p.U_fll @ left.h + p.U_flr @ right.h + p.b_f)
    f_right = sigmoid(p.W_f @ x + p.U_frl @ left.h + p.U_frr @ right.h + p.b_f)
    g = tanh(p.W_g @ x + p.U_gl @ left.h + p.U_gr @ right.h + p.b_g)
    o = sigmoid(p.W_o @ x + p.U_ol @ left.h + p.U_or @ right.h + p.b_o)
    c = i * g + f_left * left.c + f_right * right.c
    return o * tanh(c), c


@cell(
    state={"h": "H", "c": "H"},
    parameters={
        "W_i W_fu W_fl W_g W_o": "H I",
        "U_iu U_il U_fuu U_ful U_flu U_fll U_gu U_gl U_ou U_ol": "H H",
        "b_i b_fu b_fl b_g b_o": "H",
    },
    initial={"b_fu b_fl": "ones"},
)
def grid_lstm(p, x, up, left):
    """Multidimensional long short-term memory: a cell of a grid sees the cells above and to the left of it.

    Source: Graves, Fernandez and Schmidhuber 2007, "Multi-dimensional recurrent neural networks", section 3.2: one
    forget gate for each dimension. Without its peepholes, and with the squashing functions of `lstm`, to which it is
    equal on a grid of one row. The four orders in which a grid is scanned are orders of its cells, see
    `evorrn.trees.scan`. Initial forget bias 1.
    """
    i = sigmoid(p.W_i @ x + p.U_iu @ up.h + p.U_il @ left.h + p.b_i)
    f_up = sigmoid(p.W_fu @ x + p.U_fuu @ up.h + p.U_ful @ left.h + p.b_fu)
    f_left = sigmoid(p.W_fl @ x + p.U_flu @ up.h + p.U_fll @ left.h + p.b_fl)
    g = tanh(p.W_g @ x + p.U_gu @ up.h + p.U_gl @ left.h + p.b_g)
    o = sigmoid(p.W_o @ x + p.U_ou @ up.h + p.U_ol @ left.h + p.b_o)
    c = i * g + f_up * up.c + f_left * left.c
    return o * tanh(c), c
