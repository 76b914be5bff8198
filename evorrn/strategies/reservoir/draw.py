"""Random reservoirs: the fixed weights of an echo state network, for any cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.compile.blocks import INPUT, RECURRENT, Block
from evorrn.compile.initial import initialiser
from evorrn.strategies.reservoir.topology import DRAWN, RANDOM, Graph, fixed_links, has_cycle, spectral_radius

if TYPE_CHECKING:
    from evorrn.network.network import Network


@dataclass(frozen=True)
class Scales:
    """The scales of the weights of a reservoir.

    Attributes
    ----------
    spectral_radius : float
        Largest absolute eigenvalue of every square recurrent block, and largest singular value of others.
    links : int
        Recurrent links into each unit; at most the number of units are used.
    inputs, biases, feedback : float
        Scales of the weights from the inputs, of biases, and of the weights from fed-back outputs.
    density : float or None
        Share of recurrent links that are not zero, in place of `links`: so many whole links into each unit.
    graph : Graph
        Which units are linked, and the distribution of the weights. Biases are uniform between minus and plus their scale.
    groups : int
        Groups of units, the same number in each if they divide.
    group_density : float
        Share of the links from units of one group to those of another that are not zero.
    group_scaling : float
        Scale of their weights relative to those within the group that they lead to.
    input_factors : tuple of float
        Factors of the weights from each input of the network; empty for 1.
    radius_factors, layer_factors : tuple of float
        Factors of the spectral radius and of the input weights of each layer; empty for 1.
    input_density : float
        Share of the weights from inputs and layers below, and from fed-back outputs among them, that are not zero.
    """

    spectral_radius: float
    links: int
    inputs: float
    biases: float
    feedback: float
    density: float | None = None
    graph: Graph = RANDOM
    groups: int = 1
    group_density: float = 0.0
    group_scaling: float = 1.0
    input_factors: tuple[float, ...] = ()
    radius_factors: tuple[float, ...] = ()
    layer_factors: tuple[float, ...] = ()
    input_density: float = 1.0

    def radius(self, layer: int) -> float:
        """Return the spectral radius of a layer."""
        return self.spectral_radius * (self.radius_factors[layer] if self.radius_factors else 1.0)


def draw_reservoir(network: Network, scales: Scales, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return a genome (n,) with a random reservoir and a readout of zeros, and the work in multiply-adds.

    Parameters
    ----------
    network : Network
        Its cell declares which blocks are recurrent and which read the layer's input.
    scales : Scales
    rng : Generator

    Raises
    ------
    ConfigError
        When the links of a square recurrent block lead in no circle, so that it has no eigenvalue but 0.

    Notes
    -----
    Square recurrent blocks have the links of `Scales.graph`, and are rescaled to the spectral radius; a delay line, whose
    eigenvalues are 0, to its largest weight. Of groups each is rescaled so, and where they are linked then the whole block. Weights are uniform, or as the graph says. Recurrent vectors
    (diagonals) are rescaled so that their largest absolute value is the spectral radius. Of a block that
    the equations multiply by a fixed mask, the links that it keeps are drawn and count. Recurrent blocks that read
    outputs are weights from fed-back outputs; those of other shapes, as matrices with a row for each unit,
    are rescaled so that their largest singular value is the spectral radius. From the second layer on, input weights
    are divided by the root of the number of units below. Noise is added to the initial values of other
    vectors, so that an LSTM keeps its forget bias. Other blocks keep their initial values.
    """
    genome = np.zeros(network.size)
    work, graph = 0, scales.graph
    chosen = network.settings()["initial"]
    weights = network.unpack(genome)
    for block in network.layout:
        values = weights[block.name]
        if block.place == "embedding":
            values[...] = graph.draw(rng, values.shape)
        if block.layer is None:
            continue
        if block.role == RECURRENT and block.square:
            mask, radius = mask_of(network, block), scales.radius(block.layer)
            if radius > 0:
                _check_circles(block.name, len(values), mask, scales)
            work += _draw_square(values, mask, scales, radius, rng)
        elif block.role == RECURRENT and values.ndim == 1:
            values[...] = graph.draw(rng, values.shape)
            values *= scales.radius(block.layer) / np.abs(values).max()
        elif block.role == RECURRENT and "O" not in block.shape:
            values[...] = graph.draw(rng, values.shape)
            matrix = values.reshape(len(values), -1)
            with one_thread():
                values *= scales.radius(block.layer) / np.linalg.norm(matrix, 2)
            # Singular values alone: 4 m n² operations (Golub & Van Loan, 8.6).
            work += 2 * max(matrix.shape) * min(matrix.shape) ** 2
        elif block.role == RECURRENT:
            values[...] = graph.draw(rng, values.shape, scales.feedback)
        elif block.role == INPUT:
            columns = _input_scales(network, scales, block.layer, values.shape[-1])
            values[...] = graph.draw(rng, values.shape) * columns
            if scales.input_density < 1:
                values[rng.random(values.shape) >= scales.input_density] = 0.0
        else:
            way = initialiser(chosen.get(block.name, block.initial))
            values[...] = way(rng, 1, values.shape, len(values))[0]
            if values.ndim == 1:
                values += rng.uniform(-scales.biases, scales.biases, values.shape)
    return genome, work


def _check_circles(name: str, units: int, mask: np.ndarray | None, scales: Scales) -> None:
    """Raise ConfigError for a square recurrent block whose spectral radius cannot be set, since no links lead in a circle.

    Of a delay line, whose weights are the radius, only links that are missing altogether are refused.
    """
    topology = scales.graph.topology
    ends = topology == "delay-line"
    for members in np.array_split(np.arange(units), min(scales.groups, units)):
        part, count = slice(members[0], members[-1] + 1), len(members)
        if topology in DRAWN and mask is None:
            continue
        linked = (
            np.ones((count, count)) if topology in DRAWN else fixed_links(topology, count, scales.graph.jump)
        )
        linked = linked if mask is None else linked * (mask[part, part] != 0)
        if linked.any() if ends else has_cycle(linked):
            continue
        raise ConfigError(
            f"{name}: the links of topology {topology} that the network keeps among {count} units "
            f"{'are none' if ends else 'lead in no circle, so that their eigenvalues are 0'}, and the spectral radius cannot be "
            "set; take another topology (a delay-line has the radius as its weights), or fewer groups, or give your own weights "
            "to EchoState.fit_readout"
        )


def _draw_square(
    values: np.ndarray, mask: np.ndarray | None, scales: Scales, radius: float, rng: np.random.Generator
) -> int:
    """Draw a square recurrent block (H, H), each group of units with the spectral radius, and return the work.

    Where groups are linked, the whole block is then rescaled to the spectral radius.
    """
    work, graph = 0, scales.graph
    groups = np.array_split(np.arange(len(values)), min(scales.groups, len(values)))
    linked = scales.group_density > 0 and len(groups) > 1
    if linked:
        between = graph.draw(rng, values.shape, scales.group_scaling)
        drawn = rng.random(values.shape) < scales.group_density
        values[...] = np.where(drawn if mask is None else drawn & (mask != 0), between, 0.0)
    for units in groups:
        part = slice(units[0], units[-1] + 1)
        links = scales.links if scales.density is None else round(scales.density * len(units))
        kept = None if mask is None else mask[part, part]
        drawn = graph.matrix(len(units), links, rng, kept)
        found, cost = graph.radius(drawn if kept is None else kept * drawn, rng)
        factor = radius / found if found > 0 else 1.0
        values[part] *= factor
        values[part, part] = drawn * factor
        work += cost
    if linked:
        whole = values if mask is None else mask * values
        found, cost = spectral_radius(whole, rng)
        values *= radius / found if found > 0 else 1.0
        work += cost
    return work


def _input_scales(network: Network, scales: Scales, layer: int, columns: int) -> np.ndarray:
    """Return the scale of each column of a block that reads the layer's input."""
    factor = scales.layer_factors[layer] if scales.layer_factors else 1.0
    if layer > 0:
        return np.full(columns, factor * scales.inputs / np.sqrt(columns))
    fed_back = network.outputs if network.feedback else 0
    each = np.repeat([factor * scales.inputs, scales.feedback], [columns - fed_back, fed_back])
    if scales.input_factors:
        each[: columns - fed_back] *= scales.input_factors
    return each


def mask_of(network: Network, block: Block) -> np.ndarray | None:
    """Return the fixed array with which the equations multiply a block; None if there is none."""
    assert block.layer is not None
    nodes = network.cells[block.layer].graph().nodes
    for node in nodes:
        names = {nodes[operand].op: nodes[operand].name for operand in node.operands}
        if node.op == "multiply" and names.get("parameter") == block.parameter and "fixed" in names:
            place = block.name.removesuffix(f".{block.parameter}")
            return network.fixed_arrays[f"{place}.{names['fixed']}"]
    return None
