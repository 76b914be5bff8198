from evorrn import cell, sigmoid, tanh


@cell(
    state={"h": "H"},
    parameters={"W_f W_n": "H I", "U_f U_n": "H H", "b_f b_n": "H"},
    initial={"b_f": "ones"},
)
def minimal_gated_unit(p, x, h, *, activation=tanh):
    """Minimal gated unit (Zhou et al. 2016)."""
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)
    n = activation(p.W_n @ x + p.U_n @ (f * h) + p.b_n)
    return (1 - f) * h + f * n
