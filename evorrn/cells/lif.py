"""Leaky integrate-and-fire neurons, the units of a liquid state machine."""

from evorrn.compile.cell import cell
from evorrn.compile.circuits import spike
from evorrn.compile.equations import Fixed
from evorrn.compile.ops import minimum
from evorrn.kernels.activations import exp


@cell(
    state={"r": "H", "v": "H", "left": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    fixed={
        "tau": Fixed("H", default=2.0),
        "synapse": Fixed("H", default=4.0),
        "threshold": Fixed("H", default=0.1),
    },
    ranges={
        "tau": (1e-6, 1e9),
        "synapse": (1e-6, 1e9),
        "threshold": (1e-9, 1e9),
        "dt": (1e-9, 1e9),
        "refractory": (0, 1e9),
    },
)
def lif(p, x, r, v, left, *, dt=1.0, refractory=0.0):
    """Leaky integrate-and-fire neurons: ``tau dv/dt = -v + W_x x + W_h r + b``, and a spike at the threshold.

    A spike lowers v by the threshold, and the neuron then rests for the time `refractory`, of which `left` is
    still to come. The readout, the next layer and the other neurons see the trace of the spikes s, 0 or 1 in
    each step: ``r = exp(-dt/synapse) r + (1 - exp(-dt/synapse)) s``. A time step lasts `dt`, over which the
    input is constant and v is exact. `tau`, `synapse` and `threshold` are numbers, or one for each neuron. A
    constant drive I above the threshold makes a spike every ``refractory + tau ln(I / (I - threshold))``,
    within a step.

    Source: Maass, Natschläger and Markram 2002, "Real-time computing without stable states: a new framework for
    neural computation based on perturbations", for such neurons under a readout that is solved; Zenke and
    Ganguli 2018, "SuperSpike", for the gradient, see `evorrn.spike`. Deviations: a neuron may excite some and
    inhibit others; synapses have no delay and no short-term dynamics; the reset subtracts the threshold, so
    that what is above it is kept; a neuron spikes at most once a step.
    """
    free = dt - minimum(left, dt)
    kept = exp(-free / p.tau)
    v = kept * v + (1 - kept) * (p.W_x @ x + p.W_h @ r + p.b)
    s = spike(v - p.threshold)
    decay = exp(-dt / p.synapse)
    r = decay * r + (1 - decay) * s
    return r, v - p.threshold * s, left - minimum(left, dt) + refractory * s
