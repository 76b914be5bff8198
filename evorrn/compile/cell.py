"""The class Cell and the decorator that makes a cell from a function of one time step.

A cell is written in the notation of the literature and also runs as it stands on NumPy arrays:

    @cell(
        state={"h": "H"},
        parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    )
    def elman(p, x, h, *, activation=tanh):
        return activation(p.W_x @ x + p.W_h @ h + p.b)

Positional arguments are the parameters ``p``, the input ``x`` (I), the states in the declared order, ``y`` (O), the
previous output of the network, if the cell needs it, delayed values and noise. In place of the states there may be names
of earlier steps, ``def tree(p, x, left, right)``: ``left.h`` is the state h of the first step that a step is linked to,
zero where there is none, and ``left.there`` is 1 or 0; see the links of `evorrn.Batch`. Keyword-only arguments are
options: one whose default is a function chooses a function, one whose default is a number is a setting that is not
trained. The function returns the new states.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.declare import Declared, declare, range_in_words
from evorrn.compile.equations import Equations, Fixed
from evorrn.compile.fixed import checked, made
from evorrn.compile.grammar import read_equations
from evorrn.compile.graph import Graph
from evorrn.compile.ops import ACTIVATIONS
from evorrn.compile.verify import verify

Conflict = Callable[[Mapping[str, Any]], str | None]


class Options(NamedTuple):
    """The values of all options of a cell.

    Attributes
    ----------
    numbers : dict of str to float
    functions : dict of str to str
        Names of functions.
    sizes : dict of str to int
        Sizes of the further dimensions.
    arrays : dict of str to object
        Settings of the arrays that are not trained, as they were given.
    """

    numbers: dict[str, float]
    functions: dict[str, str]
    sizes: dict[str, int]
    arrays: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """All options by their names."""
        return {**self.numbers, **self.functions, **self.sizes, **self.arrays}


@dataclass(frozen=True, eq=False)
class Cell(Equations):
    """A cell: its equations and their declarations. Calling the cell calls its function.

    The further attributes are those of `Equations`.

    Attributes
    ----------
    initial : dict of str to str
        How each parameter is initialised: glorot, orthogonal, identity, half_identity, uniform, small, tiny, unit, zeros or ones.
    recurrent : tuple of str
        The parameters through which the state acts on itself; a spectral radius scales these.
    torch : tuple of str
        For cells that PyTorch has: the parameters in ``weight_ih``, ``weight_hh``, ``bias_ih`` and
        ``bias_hh``, names separated by spaces, 0 where only PyTorch has a bias.
    ranges : dict of str to tuple of float
        ``{option: (lowest, highest)}`` of numeric options; those without a range take every finite number.
    start : dict of str to float
        The value of states before the first time step, where it is not 0.
    output : tuple of str
        The states that make the output of the cell, one after the other.
    conflict : callable or None
        Says what is wrong with values of options that do not go together.
    """

    initial: dict[str, str]
    recurrent: tuple[str, ...]
    torch: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    start: dict[str, float]
    output: tuple[str, ...]
    conflict: Conflict | None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return the new states of one time step, computed by the function on NumPy arrays."""
        return self.function(*arguments, **options)

    @property
    def doc(self) -> str:
        """The docstring of the equations."""
        return inspect.getdoc(self.function) or ""

    @property
    def input(self) -> tuple[str, ...]:
        """The parameters that multiply the input."""
        return tuple(name for name, shape in self.parameters.items() if shape[-1:] == ("I",))

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of all options."""
        arrays = {name: array.default for name, array in self.fixed.items() if array.rule is None}
        return {**self.options, **self.activations, **self.sizes, **arrays}

    def check_options(self, values: Mapping[str, Any]) -> Options:
        """Return all options, with defaults for those not in `values`.

        Raises
        ------
        UnknownName
            For an option or a function that does not exist.
        CellError
            For a value that is not a finite number or out of its range, and for values that do not go together.
        """
        settings = {name: array.default for name, array in self.fixed.items() if array.rule is None}
        found = Options(dict(self.options), dict(self.activations), dict(self.sizes), settings)
        for name, value in values.items():
            if name in found.functions:
                text = getattr(value, "__name__", value)
                known = self.choices.get(name, ACTIVATIONS)
                if not isinstance(text, str) or text not in known:
                    raise UnknownName("function" if name in self.choices else "activation", text, known)
                found.functions[name] = str(text)
            elif name in found.numbers:
                if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                    raise CellError(f"cell option {name}: expected a number, got {value!r}")
                if not np.isfinite(value):
                    raise CellError(f"cell option {name}: expected a finite number, got {value!r}")
                low, high = self.ranges.get(name, (-np.inf, np.inf))
                if not low <= value <= high:
                    raise CellError(
                        f"cell option {name}: expected {range_in_words(low, high)}, got {value!r}"
                    )
                found.numbers[name] = float(value)
            elif name in found.sizes:
                if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                    raise CellError(
                        f"cell option {name}: expected a whole number of at least 1, got {value!r}"
                    )
                found.sizes[name] = int(value)
            elif name in found.arrays:
                found.arrays[name] = checked(name, value, self.ranges.get(name, (-np.inf, np.inf)))
            else:
                raise UnknownName(f"option of cell {self.name}", name, self.defaults)
        wrong = self.conflict(found.values) if self.conflict is not None else None
        if wrong is not None:
            raise CellError(f"cell {self.name}: {wrong}")
        return found

    def fixed_arrays(self, sizes: Mapping[str, int], options: Options) -> dict[str, np.ndarray]:
        """Return the arrays that are not trained.

        Parameters
        ----------
        sizes : mapping of str to int
            The size of each dimension by its letter.
        options : Options

        Raises
        ------
        CellError
            When a setting does not fit the sizes, or a rule fails or makes a wrong array.
        """
        return {
            name: made(self.name, name, array, sizes, options.values) for name, array in self.fixed.items()
        }

    def graph(self, activations: Mapping[str, str] | None = None) -> Graph:
        """Return the graph of one time step, see `evorrn.compile.grammar.read_equations`."""
        return verify(read_equations(self, {**self.activations, **(activations or {})}))


class Declarations(TypedDict, total=False):
    """What `cell` may be given besides states, parameters and a name; it describes them."""

    initial: Mapping[str, str] | None
    recurrent: str | None
    torch: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]] | None
    sizes: Mapping[str, int] | None
    fixed: Mapping[str, Fixed] | None
    choices: Mapping[str, Sequence[Callable[..., Any]]] | None
    delays: Mapping[str, int] | None
    start: Mapping[str, float] | None
    output: str | None
    noise: Mapping[str, str] | None
    conflict: Conflict | None


def cell(
    *,
    state: Mapping[str, str],
    parameters: Mapping[str, str],
    name: str | None = None,
    **more: Unpack[Declarations],
) -> Callable[[Callable[..., Any]], Cell]:
    """Return a decorator that makes a cell from a function of one time step.

    Parameters
    ----------
    state : mapping of str to str
        ``{name: dimensions}`` of each state: one to three of I, H, O, names of `sizes`, and whole numbers, for instance
        ``"H"`` or ``"N M"``. The first state is the output of the cell, unless `output` says otherwise, and has one
        dimension.
    parameters : mapping of str to str
        ``{"W_r W_z": "H I"}``: names separated by spaces, and their dimensions.
    name : str, optional
        The function's name with dashes by default.
    initial : mapping of str to str, optional
        ``{"b_f": "ones"}``: glorot, orthogonal, identity, half_identity, uniform, small, tiny, unit, zeros or ones. By default matrices
        H x H are orthogonal, other matrices glorot, vectors zeros.
    recurrent : str, optional
        Names of the recurrent parameters; all matrices H x H by default.
    torch : tuple of str, optional
        See `Cell.torch`.
    ranges : mapping of str to tuple of float, optional
        ``{"leak": (0, 1)}``: the lowest and the highest value of numeric options; infinite where there is no bound.
    sizes : mapping of str to int, optional
        ``{"N": 32}``: further dimensions with the defaults of their sizes, which are options of the cell.
    fixed : mapping of str to Fixed, optional
        Arrays that are not trained, read as ``p.NAME``.
    choices : mapping of str to sequence of callable, optional
        ``{"method": (euler, rk4)}``: the functions that an option may be, where these are no activations.
    delays : mapping of str to int, optional
        ``{"x": 2, "h": 3, "y": 1}``: past values that the function takes as its last arguments ``x_1, x_2, h_2, h_3,
        y_1``; the last value of a state is the state itself.
    start : mapping of str to float, optional
        The value of states before the first time step, where it is not 0.
    output : str, optional
        Names of the states that make the output of the cell, one after the other.
    noise : mapping of str to str, optional
        ``{"nu": "H"}``: standard normal numbers that the function takes as its last arguments, drawn anew for each
        sequence and time step; zero unless a method of the network is given a seed for them, see `Network.fitness`.
    conflict : callable, optional
        A function of all options, ``{name: value}``, that returns a sentence where their values do not go together, else
        None.

    Raises
    ------
    CellError
        When the declarations are wrong, or the function uses something that is not in the language of cells; the
        message quotes the line.
    UnknownName
        When a parameter, an initialisation or a name in the function does not exist.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn import tanh
    >>> @evorrn.cell(state={"h": "H"}, parameters={"W": "H I", "U": "H H", "b": "H"})
    ... def leaky_tanh(p, x, h, *, leak=0.5):
    ...     return (1 - leak) * h + leak * tanh(p.W @ x + p.U @ h + p.b)
    >>> leaky_tanh.name, leaky_tanh.options
    ('leaky-tanh', {'leak': 0.5})
    >>> evorrn.Network(inputs=2, outputs=1, cell=leaky_tanh, hidden=4, cell_options={"leak": 0.3})
    Network(2 -> leaky-tanh 4 -> 1, 33 genes)
    """
    for each in more:
        if each not in Declarations.__annotations__:
            raise UnknownName("declaration of a cell", each, Declarations.__annotations__)
    declared = Declared(
        state=_table(state),
        parameters=_table(parameters),
        initial=_table(more.get("initial")),
        recurrent=more.get("recurrent"),
        ranges=_table(more.get("ranges")),
        sizes=_table(more.get("sizes")),
        fixed=_table(more.get("fixed")),
        choices=_table(more.get("choices")),
        delays=_table(more.get("delays")),
        start=_table(more.get("start")),
        output=more.get("output"),
        noise=_table(more.get("noise")),
    )

    def decorate(function: Callable[..., Any]) -> Cell:
        made = Cell(
            **declare(function, name, declared), torch=more.get("torch", ()), conflict=more.get("conflict")
        )
        made.graph()  # raises errors in the equations where the cell is defined
        made.check_options(made.defaults)
        return made

    return decorate


def _table(given: Any) -> Any:
    """Return a declaration as a dict, or as it is where it is no mapping."""
    return dict(given or {}) if given is None or isinstance(given, Mapping) else given
