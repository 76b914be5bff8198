"""A circuit of memristors, whose resistances remember the currents that flowed through them."""

import numpy as np

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.circuits import solve
from evorrn.compile.equations import Fixed
from evorrn.compile.ops import maximum, minimum


def incidence(sizes, options):
    """Return the incidence matrix (nodes, H) of a connected random graph without parallel edges.

    A column has 1 where its edge begins and -1 where it ends. There are 2 H / `degree` nodes, as nearly as such
    a graph with H edges can have them. Each node is joined to one drawn among the nodes before it, and the other
    edges are drawn among the pairs that are left, all with the seed `graph`.
    """
    if options["graph"] % 1:
        raise ValueError(f"graph: expected a whole number, got {options['graph']:g}")
    edges, rng = sizes["H"], np.random.default_rng(int(options["graph"]))
    fewest = int(np.ceil((1 + np.sqrt(1 + 8 * edges)) / 2))
    nodes = min(max(round(2 * edges / options["degree"]), fewest), edges + 1)
    tree = [(int(rng.integers(k)), k) for k in range(1, nodes)]
    others = sorted({(i, k) for k in range(nodes) for i in range(k)} - set(tree))
    more = rng.choice(len(others), edges - len(tree), replace=False) if others else []
    matrix = np.zeros((nodes, edges))
    for column, (start, end) in enumerate([*tree, *(others[k] for k in more)]):
        matrix[start, column], matrix[end, column] = 1.0, -1.0
    return matrix


def projector(sizes, options):
    """Return the projector (H, H) on the loops of the graph: on the currents that flow out of no node."""
    matrix = incidence(sizes, options)
    return np.eye(sizes["H"]) - np.linalg.pinv(matrix) @ matrix


@cell(
    state={"i": "H", "w": "H"},
    parameters={"W_x": "H I", "b": "H"},
    recurrent="",
    start={"w": 0.5},
    output="i w",
    fixed={
        "alpha": Fixed("H", default=-0.1),
        "beta": Fixed("H", default=5.0),
        "loops": Fixed("H H", projector),
        "one": Fixed("H H", lambda sizes, options: np.eye(sizes["H"])),
    },
    ranges={"beta": (1e-9, 1e9), "xi": (0, 1e9), "dt": (1e-9, 1e9), "degree": (1, 1e9), "graph": (0, 2**53)},
)
def memristive(p, x, i, w, *, xi=10.0, dt=1.0, degree=4, graph=0):
    """Circuit of memristors on the H edges of a random graph; the network sees currents i and memories w.

    A memristor has the resistance ``1 + xi w``, w from 0 to 1, and in series a source of the voltage ``W_x x +
    b``. The currents are ``i = (1 + xi P diag(w))^-1 P (W_x x + b)`` with the projector P on the loops of the
    graph, and ``dw/dt = alpha w - i / beta``, by a step of Euler's method of the length `dt`, cut to 0 to 1.
    `alpha` and `beta` are numbers, or one for each memristor. The graph has the mean degree `degree` and the
    seed `graph`. A time step costs H^3 / 3 multiply-adds.

    Source: Caravelli, Traversa and Di Ventra 2017, "Complex dynamics of memristive circuits: analytical results
    and universal slow relaxation", the equation of the memories. Deviations: `alpha` is negative by default,
    where the paper's memristors drift to w = 1, so that what was seen long ago fades; the unit of resistance is
    that of w = 0.
    """
    source = p.loops @ (p.W_x @ x + p.b)
    i = solve(p.one + xi * einsum("ij,j->ij", p.loops, w), source)
    return i, minimum(maximum(w + dt * (p.alpha * w - i / p.beta), 0), 1)
