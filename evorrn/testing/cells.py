"""The check of a cell: its NumPy, compiled and differentiated forms agree."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np

from evorrn.cells.find import find_cell
from evorrn.compile.cell import Cell
from evorrn.compile.op import size_of
from evorrn.compile.ops import ACTIVATIONS
from evorrn.network.network import Network
from evorrn.testing.checking import Checking


def check_cell(cell: str | Cell, *, seed: int = 0, options: dict[str, Any] | None = None) -> None:
    """Check a cell against its own function on NumPy and against finite differences.

    The gradient of a cell with `evorrn.spike` is checked against its function on complex numbers.

    Parameters
    ----------
    cell : str or Cell
        A name, the cell itself, or ``"file.py:function"``.
    seed : int
        Seed of weights and inputs.
    options : dict, optional
        Options of the cell that differ from their defaults.

    Raises
    ------
    AssertionError
        Naming every form that disagrees, and the differences.
    EvorrnError
        When there is no such cell.

    Examples
    --------
    >>> from evorrn.testing import check_cell
    >>> check_cell("elman")
    """
    found = find_cell(cell)
    checking = Checking(f"check_cell {found.name}")
    rng = np.random.default_rng(seed)
    network = Network(3, 2, cell=cell, hidden=5, cell_options=options, dtype="float64")
    genome = network.init(rng=rng) + 0.1 * rng.standard_normal(network.size)
    x, many = rng.standard_normal((2, 9, 3)), rng.standard_normal((40, 9, 3))
    many[:2] = x
    given = _links(rng, len(found.predecessors), many.shape[:2])
    links: dict[str, Any] = {"links": given}
    few: dict[str, Any] = {"links": None if given is None else given[:2]}
    cotangent, direction = rng.standard_normal((2, 9, 2)), rng.standard_normal(network.size)
    with checking.part("compiling, and comparing outputs with those of the function"):
        wanted = _by_hand(found, network, genome, x, few["links"])
        _agree(checking, "compiled outputs", network.predict(genome, x, **few), wanted, 1e-10)
    with checking.part("outputs of a large batch, which is computed in another way"):
        first = network.predict(genome, many, **links)[:2]
        _agree(checking, "outputs of a large batch", first, network.predict(genome, x, **few), 1e-10)
    with checking.part("compiling the gradient, and comparing it with finite differences"):
        numeric = float((cotangent * _change(network, genome, direction, x, few["links"])).sum())
        slope = np.array(network.vjp(genome, x, cotangent, **few) @ direction)
        _agree(checking, "gradient", slope, np.array(numeric), 1e-5 * (1 + abs(numeric)))
    with checking.part("compiling for float32, and comparing with float64"):
        single = Network(3, 2, cell=cell, hidden=5, cell_options=options).predict(genome, x, **few)
        _agree(checking, "float32 outputs", single, network.predict(genome, x, **few), 1e-3)
    checking.finish()


def _links(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return random predecessors (B, T, A) of each step, about a third of them absent; None for a chain."""
    if not count:
        return None
    steps = np.arange(shape[1])[None, :, None]
    return np.where(
        rng.random((*shape, count)) < 0.3, -1, rng.integers(0, 2**31, (*shape, count)) % (steps + 1) - 1
    )


def _change(
    network: Network, genome: np.ndarray, direction: np.ndarray, x: np.ndarray, links: np.ndarray | None
) -> np.ndarray:
    """Return the change of the outputs (B, T, O) along a direction of the genome.

    A spike is a step, whose differences say nothing; its surrogate slope acts on imaginary parts.
    """
    if any(node.op == "spike" for node in network.cell.graph().nodes):
        return _by_hand(network.cell, network, genome + 1e-30j * direction, x, links).imag / 1e-30
    ahead, behind = (network.predict(genome + step * direction, x, links=links) for step in (1e-6, -1e-6))
    return (ahead - behind) / 2e-6


def _by_hand(
    cell: Cell, network: Network, genome: np.ndarray, x: np.ndarray, links: np.ndarray | None
) -> np.ndarray:
    """Return the outputs (B, T, O) of the cell's own function, called step by step; the genome may be complex."""
    blocks = network.unpack(genome.real)
    if np.iscomplexobj(genome):
        moved = network.unpack(genome.imag)
        blocks = {name: block + 1j * moved[name] for name, block in blocks.items()}
    checked = cell.check_options(network.cell_options)
    letters = {"I": network.inputs, "H": network.hidden[0], "O": network.outputs, **checked.sizes}
    p = SimpleNamespace(
        **{name: blocks[f"layer0.{name}"] for name in cell.parameters}, **cell.fixed_arrays(letters, checked)
    )
    options: dict[str, Any] = dict(checked.numbers)
    for name, chosen in checked.functions.items():
        options[name] = cell.choices.get(name, ACTIVATIONS)[chosen]
    registers = cell.registers
    outputs = np.zeros((*x.shape[:2], network.outputs), genome.dtype)
    for b in range(len(x)):
        values: dict[str, Any] = {"y": np.zeros(network.outputs)}
        for name, shape in cell.noise.items():
            values[name] = np.zeros([size_of(dimension, letters) for dimension in shape])
        for name, shape in cell.states.items():
            size = [size_of(dimension, letters) for dimension in shape]
            values[name] = np.full(size, cell.start.get(name, 0.0))
        zeros = {name: 0 * values[name] for name in cell.state}
        done: list[dict[str, Any]] = []
        for t in range(x.shape[1]):
            values["x"] = x[b, t]
            for place, name in enumerate(cell.predecessors):
                assert links is not None
                to = int(links[b, t, place])
                found = done[to] if to >= 0 else zeros
                values[name] = SimpleNamespace(**found, there=np.array([float(to >= 0)]))
            values |= {f"{name}_1": values[name] for name in cell.delays if name != "x"}
            new = cell(p, *(values[name] for name in _arguments(cell)), **options)
            states = dict(zip(cell.state, new if isinstance(new, tuple) else (new,)))
            late = {name: values[before] for name, (before, _) in registers.items()}
            values |= {**states, **late}
            done.append(states)
            seen = np.concatenate([np.ravel(states[name]) for name in cell.output])
            values["y"] = blocks["readout.W"] @ seen + blocks["readout.b"]
            outputs[b, t] = values["y"]
    return outputs


def _arguments(cell: Cell) -> list[str]:
    """Return the names of the positional arguments of a cell after ``p``."""
    parameters = inspect.signature(cell.function).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]


def _agree(checking: Checking, what: str, got: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Note that two arrays differ by more than a tolerance."""
    difference = float(np.abs(got - wanted).max())
    checking.require(
        difference <= tolerance,
        f"{what}: expected a difference of at most {tolerance:.1e}, got {difference:.1e}",
    )
