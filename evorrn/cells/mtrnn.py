"""The network of units with several time constants."""

from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.kernels.activations import tanh


@cell(
    sizes={"io": 8, "slow": 4},
    state={"z": "io", "u": "io", "f": "H", "s": "slow"},
    parameters={
        "W_ux": "io I",
        "W_uf": "io H",
        "W_fx": "H I",
        "W_ff": "H H",
        "W_fs": "H slow",
        "W_sf": "slow H",
        "W_ss": "slow slow",
        "b_u": "io",
        "b_f": "H",
        "b_s": "slow",
    },
    initial={"W_ss": "orthogonal"},
    recurrent="W_ff W_ss",
    fixed={
        "io_tau": Fixed("io", default=2.0),
        "fast_tau": Fixed("H", default=5.0),
        "slow_tau": Fixed("slow", default=70.0),
    },
    ranges={"io_tau": (1, 1e9), "fast_tau": (1, 1e9), "slow_tau": (1, 1e9)},
)
def mtrnn(p, x, z, u, f, s, *, activation=tanh):
    """Multiple-timescale network: leaky units in groups for output, fast context (H units) and slow context.

    Source: Yamashita and Tani 2008, "Emergence of functional hierarchy in a multiple timescale neural network
    model: a humanoid robot experiment": ``u <- (1 - 1/tau) u + 1/tau (W x + b)``, with a time constant for
    each group, or for each of its units. As there, the input and output group and the slow group have no
    links with each other. The input x stands for the last values of the first group, which in the paper are
    those of sensors, or its own predictions where outputs are fed back as inputs. The readout of the network
    sees the activations of these units, where the paper has a softmax for each sensor. In the paper the first
    state of the slow units is trained for every sequence; here it is zero, or what is given as `state`.
    """
    fast, slow = activation(f), activation(s)
    u = (1 - 1 / p.io_tau) * u + (p.W_ux @ x + p.W_uf @ fast + p.b_u) / p.io_tau
    f = (1 - 1 / p.fast_tau) * f + (p.W_fx @ x + p.W_ff @ fast + p.W_fs @ slow + p.b_f) / p.fast_tau
    s = (1 - 1 / p.slow_tau) * s + (p.W_sf @ fast + p.W_ss @ slow + p.b_s) / p.slow_tau
    return activation(u), u, f, s
