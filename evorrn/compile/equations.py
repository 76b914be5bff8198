"""The declarations that are needed to read the equations of a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evorrn.compile.op import Shape


@dataclass(frozen=True)
class Fixed:
    """An array of a cell that is not trained, for instance a mask, periods or time constants.

    Parameters
    ----------
    shape : str
        Its dimensions, for instance ``"H"`` or ``"H H"``.
    rule : callable, optional
        ``rule(sizes, options) -> array``: makes the array from the sizes of the cell's dimensions by letter and from
        its options. Without a rule the array is an option of the cell, see `default`.
    default : object, optional
        The default of the option: a number, a list of one number for each unit, or pairs ``[[20, 2.0], [12, 70.0]]``
        of a number of units and their value.

    Examples
    --------
    >>> import evorrn
    >>> @evorrn.cell(state={"h": "H"}, parameters={"W": "H I"}, fixed={"tau": evorrn.Fixed("H", default=2.0)})
    ... def slow(p, x, h):
    ...     return h + (p.W @ x - h) / p.tau
    >>> evorrn.Network(inputs=1, outputs=1, hidden=3, cell=slow, cell_options={"tau": [[1, 2.0], [2, 50.0]]})
    Network(1 -> slow 3 -> 1, 7 genes)
    """

    shape: str
    rule: Callable[[Mapping[str, int], Mapping[str, Any]], Any] | None = None
    default: Any = None


@dataclass(frozen=True, eq=False)
class Equations:
    """A function of one time step, and the declarations needed to read it.

    Attributes
    ----------
    name : str
        Name of the cell, for error messages.
    function : callable
        ``function(p, x, *states[, y][, *delayed values][, *noise], **options)``.
    state : dict of str to tuple of str
        ``{name: dimensions}`` of each state, in the order of the arguments and results.
    parameters : dict of str to tuple of str
        ``{name: dimensions}`` in the order of the genome.
    options : dict of str to float
        Numeric options with their defaults.
    activations : dict of str to str
        Options that are functions, with the names of their defaults.
    sees_output : bool
        Whether the equations read ``y``, the previous output of the network.
    source : str
        Source text of the function.
    first_line : int
        Line number of the source in its file.
    sizes : dict of str to int
        Further dimensions with the defaults of their sizes.
    fixed : dict of str to Fixed
        Arrays that are not trained.
    choices : dict of str to dict
        ``{option: {name: function}}`` of options that choose among functions that are no activations.
    delays : dict of str to int
        How many past values of ``x``, ``y`` or a state the equations read.
    noise : dict of str to tuple of str
        ``{name: dimensions}`` of random numbers, drawn anew at each time step.
    predecessors : tuple of str
        The arguments that are earlier steps, in the order of the links of a batch; empty for a cell of a chain of steps.
    """

    name: str
    function: Callable[..., Any]
    state: dict[str, Shape]
    parameters: dict[str, Shape]
    options: dict[str, float]
    activations: dict[str, str]
    sees_output: bool
    source: str = field(repr=False)
    first_line: int = field(repr=False)
    sizes: dict[str, int]
    fixed: dict[str, Fixed]
    choices: dict[str, dict[str, Callable[..., Any]]]
    delays: dict[str, int]
    noise: dict[str, Shape]
    predecessors: tuple[str, ...]

    @property
    def fixed_shapes(self) -> dict[str, Shape]:
        """The dimensions of each array that is not trained."""
        return {name: tuple(array.shape.split()) for name, array in self.fixed.items()}

    @property
    def registers(self) -> dict[str, tuple[str, Shape]]:
        """The delayed values that are states of their own: ``{"x_2": ("x_1", shape)}``, each with what it becomes next.

        The last value of a state and of ``y`` are there already: ``h_1`` is the state h, ``y_1`` the previous output.
        """
        shapes = {"x": ("I",), "y": ("O",), **self.state}
        found = {}
        for name, steps in self.delays.items():
            for k in range(1 if name == "x" else 2, steps + 1):
                found[f"{name}_{k}"] = (name if k == 1 else f"{name}_{k - 1}", shapes[name])
        return found

    @property
    def states(self) -> dict[str, Shape]:
        """The dimensions of all states: those of the equations, and delayed values."""
        return {**self.state, **{name: shape for name, (_, shape) in self.registers.items()}}
