"""The arguments that make a network, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from functools import partial
from inspect import signature
from typing import Any, Self

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, EvorrnError, unknown
from evorrn.compile.cell import Cell
from evorrn.losses.find import find_loss, losses

DTYPES = ("float32", "float64")
READS = ("last", "all")


@dataclass(eq=False, repr=False)
class NetworkSettings:
    """The arguments of `evorrn.Network`, which describes them; `Architecture` checks them."""

    inputs: int
    outputs: int
    cell: InitVar[str | Cell | Sequence[str | Cell]] = "elman"
    hidden: InitVar[int | Sequence[int]] = 16
    cell_options: InitVar[Mapping[str, Any] | Sequence[Mapping[str, Any]] | None] = None
    loss: InitVar[str] = "mse"
    direct: bool = False
    feedback: bool = False
    dtype: InitVar[str | np.dtype | type] = "float32"
    initial: InitVar[Mapping[str, str | float] | None] = None
    biases: bool = True
    reads: str = "last"
    learn_start: bool = False
    fed_back: InitVar[str | None] = None
    bidirectional: bool = False
    embedding: int = 0
    readout: str = "every"
    context: str = ""

    def __new__(cls, *given: Any, **named: Any) -> Self:
        """Raise ConfigError for unknown names, with the nearest valid one, and where inputs or outputs are missing."""
        known = list(cls.__dataclass_fields__)
        problems = [
            f"network.{name}: {unknown('setting', name, known)}" for name in named if name not in known
        ]
        missing = [name for name in known[len(given) : 2] if name not in named]
        problems += [f"network.{name}: expected a whole number, got none" for name in missing]
        if problems:
            raise ConfigError(problems)
        return super().__new__(cls)

    def __post_init__(self, *loosely_typed: Any) -> None:
        raise NotImplementedError


# Without this line the signature would be that of __new__, which takes anything.
NetworkSettings.__signature__ = signature(partial(NetworkSettings.__init__, None))  # type: ignore[attr-defined, arg-type]


MOST_LAYERS = 32
"""Layers of the deepest stack."""
SECONDS_A_LAYER = 4.0
"""Time to compile a layer: stacks of 4, 8 and 16 layers took 17, 29 and 60 s."""


def problems_of_settings(
    sizes: Mapping[str, tuple[Any, ...]], loss: str, dtype: str, reads: str, flags: Mapping[str, Any]
) -> list[str]:
    """Return one sentence for each wrong argument, except those of the cell.

    Parameters
    ----------
    sizes : mapping of str to tuple
        Inputs, outputs and the units of each layer.
    loss, dtype, reads : str
    flags : mapping of str to object
        The arguments that are true or false.
    """
    return [
        *_depth_problems(len(sizes["hidden"])),
        *_size_problems(sizes),
        *_choice_problems(loss, dtype, reads),
        *_flag_problems(flags),
    ]


def _depth_problems(layers: int) -> list[str]:
    """Return a sentence when a stack has so many layers that compiling it takes many minutes."""
    if layers <= MOST_LAYERS:
        return []
    minutes = layers * SECONDS_A_LAYER / 60
    return [
        f"network.hidden: expected at most {MOST_LAYERS} layers, got {layers}; each layer is compiled on its own, about "
        f"{SECONDS_A_LAYER:.0f} s a layer, here {minutes:,.0f} minutes"
    ]


def problems_of_fed_back(loss: str, fed_back: Any) -> list[str]:
    """Return a sentence when a loss has no such value that can go back into a network; None is always allowed."""
    if loss not in losses() or fed_back is None or fed_back in losses()[loss].fed_back:
        return []
    choices = " or ".join(losses()[loss].fed_back)
    return [f"network.fed_back: expected {choices} for the loss {loss}, got {fed_back!r}"]


def checked_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return a mapping, empty for None; raise ConfigError for anything else."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"network.{name}: expected names with their values, got {value!r}")
    return value or {}


def _size_problems(given: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """Return a sentence for each size that is not a whole number of at least 1, or 0 for inputs."""
    problems = [
        f"network.{name}: expected a whole number of at least {least}, got {value!r}"
        for name, values in given.items()
        for least in [0 if name == "inputs" else 1]
        for value in values
        if not is_whole(value) or value < least
    ]
    return problems + ([] if given["hidden"] else ["network.hidden: expected at least one layer, got none"])


def _choice_problems(loss: str, dtype: str, reads: str) -> list[str]:
    """Return a sentence for each of these names that is unknown."""
    problems = []
    try:
        find_loss(loss)
    except EvorrnError as error:
        problems.append(f"network.loss: {error}")
    if dtype not in DTYPES:
        problems.append(f"network.dtype: {unknown('dtype', dtype, DTYPES)}")
    if reads not in READS:
        problems.append(f"network.reads: {unknown('choice of layers', reads, READS)}")
    return problems


def _flag_problems(flags: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each flag that is neither true nor false."""
    return [
        f"network.{name}: expected true or false, got {flag!r}"
        for name, flag in flags.items()
        if not isinstance(flag, bool | np.bool_)
    ]
