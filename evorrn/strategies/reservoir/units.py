"""Layers whose units add weighted inputs and the last outputs of all units: what a compiled loop over time needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.library import euler
from evorrn.kernels.activations import relu, sigmoid, tanh
from evorrn.kernels.deferred import cached

if TYPE_CHECKING:
    from evorrn.network.network import Network

CELLS = ("elman", "leaky", "ctrnn")
FUNCTIONS = ("tanh", "sigmoid", "identity", "relu")
"""Activations by the numbers that the loops know."""
METHODS = ("euler", "exponential")


@dataclass(frozen=True)
class Units:
    """A layer of the cells elman, leaky or ctrnn.

    Attributes
    ----------
    inputs : ndarray, shape (H, I)
    recurrent : ndarray, shape (H, H)
    bias : ndarray, shape (H,)
    kept, taken : ndarray, shape (H,)
        A step is ``s = kept s + taken a``: of elman and leaky ``a = f(sum + bias)``, and the output is s; of ctrnn a is the
        sum itself, and the output is ``f(s + bias)``.
    function : int
        Place of the activation in `FUNCTIONS`.
    last : bool
        Whether the activation comes after the step, as in ctrnn.
    """

    inputs: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    kept: np.ndarray
    taken: np.ndarray
    function: int
    last: bool

    @property
    def step(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, bool]:
        """What the loops need of the units besides their weights: bias, kept, taken, function and last."""
        return self.bias, self.kept, self.taken, self.function, self.last


def check_alike(name: str, network: Network) -> None:
    """Raise ConfigError unless all layers have one cell with the same options, and run in one direction on the inputs."""
    if network.bidirectional or network.embedding:
        raise ConfigError(
            f"{name}: expected a network without {'bidirectional=True' if network.bidirectional else 'embedding'}"
        )
    if not isinstance(network.cell_options, dict):
        raise ConfigError(f"{name}: needs layers of one cell with the same options, got {network}")


def check_units(name: str, network: Network) -> None:
    """Raise ConfigError for a network whose layers are no `Units`."""
    check_alike(name, network)
    options = {**network.cell.activations, **network.cell_options}
    function = _called(options.get("activation"))
    method = _called(options.get("method", euler))
    if network.learn_start:
        raise ConfigError(f"{name}: needs states that start at 0, got learn_start")
    if network.cell.name not in CELLS or function not in FUNCTIONS or method not in METHODS:
        raise ConfigError(
            f"{name}: needs a cell elman, leaky or ctrnn (euler or exponential) with an activation "
            f"{', '.join(FUNCTIONS)}, got {network.cell.name}"
            + (f" with {function}" if function != "None" else "")
        )


def units_of(network: Network, genome: np.ndarray, layer: int = 0) -> Units:
    """Return a layer of a genome (n,); the network has passed `check_units`."""
    blocks = {name: np.array(block, np.float64) for name, block in network.unpack(genome).items()}
    options = {**network.cell.activations, **network.cell.options, **network.cell_options}
    function = FUNCTIONS.index(_called(options["activation"]))
    count = network.hidden[layer]
    own = {name.split(".")[1]: block for name, block in blocks.items() if name.startswith(f"layer{layer}.")}
    recurrent = recurrent_name(network).split(".")[1]
    if network.cell.name == "ctrnn":
        tau = np.broadcast_to(network.fixed_arrays[f"layer{layer}.tau"], (count,)).astype(np.float64)
        tau = tau * np.exp(options["learned"] * own["log_tau"])
        share = options["dt"] / tau
        share = share if _called(options["method"]) == "euler" else -np.expm1(-share)
        bias = own.get("theta", np.zeros(count))
        return Units(own["W_x"], own[recurrent], bias, 1 - share, share, function, True)
    leak = np.full(count, float(options.get("leak", 1.0)))
    bias = own.get("b", np.zeros(count))
    return Units(own["W_x"], own[recurrent], bias, 1 - leak, leak, function, False)


def start_of(units: Units) -> tuple[np.ndarray, np.ndarray]:
    """Return the first state and the first output of a layer, (H,) each, as arrays that may be changed."""
    state, output = np.zeros(len(units.bias)), np.zeros(len(units.bias))
    if units.last:
        output[:] = units.bias
        activate(output, units.function)
    return state, output


def recurrent_name(network: Network, layer: int = 0) -> str:
    """Return the name of the block of recurrent weights."""
    return f"layer{layer}.{'W' if network.cell.name == 'ctrnn' else 'W_h'}"


def _called(function: object) -> str:
    """Return the name of an activation or a method, given as itself or by name."""
    return str(getattr(function, "__name__", function))


@cached
def step(
    total: np.ndarray,
    state: np.ndarray,
    output: np.ndarray,
    bias: np.ndarray,
    kept: np.ndarray,
    taken: np.ndarray,
    function: int,
    last: bool,
) -> None:
    """Take one time step with the sums (H,) of weighted inputs; `state` and `output` (H,) change in place."""
    count = len(total)
    if last:
        for i in range(count):
            state[i] = kept[i] * state[i] + taken[i] * total[i]
        for i in range(count):
            output[i] = state[i] + bias[i]
        activate(output, function)
    else:
        for i in range(count):
            output[i] = total[i] + bias[i]
        activate(output, function)
        for i in range(count):
            state[i] = kept[i] * state[i] + taken[i] * output[i]
        output[:] = state


@cached
def activate(values: np.ndarray, function: int) -> None:
    """Apply an activation to every number of an array (H,) in place."""
    if function == 0:
        for i in range(len(values)):
            values[i] = tanh(values[i])
    elif function == 1:
        for i in range(len(values)):
            values[i] = sigmoid(values[i])
    elif function == 3:
        for i in range(len(values)):
            values[i] = relu(values[i])


@cached
def add_product(columns: np.ndarray, vector: np.ndarray, total: np.ndarray) -> None:
    """Add to `total` (H,) the product of a matrix, given by its columns (N, H), and a vector (N,)."""
    for j in range(len(vector)):
        value, column = vector[j], columns[j]
        for i in range(len(total)):
            total[i] += column[i] * value


@cached
def add_sparse(places: np.ndarray, weights: np.ndarray, vector: np.ndarray, total: np.ndarray) -> None:
    """Add to `total` (H,) the sums of weights (H, L) times the entries of a vector at places (H, L)."""
    for i in range(len(total)):
        sum_of_row = 0.0
        for k in range(places.shape[1]):
            sum_of_row += weights[i, k] * vector[places[i, k]]
        total[i] += sum_of_row


def sparse_rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (H, L) and values (H, L) of the entries of each row that are not zero, filled up with zeros."""
    linked = matrix != 0
    longest = max(int(linked.sum(axis=1).max(initial=0)), 1)
    places = np.argsort(~linked, axis=1, kind="stable")[:, :longest]
    return places, np.take_along_axis(matrix, places, axis=1)


@cached
def run(
    drive: np.ndarray,
    linked: tuple[np.ndarray, np.ndarray],
    state: np.ndarray,
    output: np.ndarray,
    units: tuple[np.ndarray, np.ndarray, np.ndarray, int, bool],
    outputs: np.ndarray,
) -> None:
    """Run a layer over weighted inputs (T, H), from `state` and `output` (H,) on, and write its outputs (T, H).

    `linked` are the `sparse_rows` of the recurrent weights; `units` are bias, kept, taken, function and last of `Units`.
    """
    bias, kept, taken, function, last = units
    total = np.empty(drive.shape[1])
    for t in range(len(drive)):
        total[:] = drive[t]
        add_sparse(linked[0], linked[1], output, total)
        step(total, state, output, bias, kept, taken, function, last)
        outputs[t] = output
