"""The table of activations, and the decorator that adds one to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evorrn.kernels.deferred import by_dtype, elementwise
from evorrn.kernels.exponential import D, F

Slope = Callable[[Any, int, int], int]


@dataclass(frozen=True)
class Activation:
    """An activation, or the derivative of one.

    Attributes
    ----------
    function : callable
        Computes the activation on NumPy arrays; in compiled code it is the kernel.
    slope : callable or None
        ``slope(b, y, x)`` returns the node of the derivative at ``y = f(x)``, made with the builder ``b`` of a
        graph; None for a derivative, which is not differentiated again.
    cost : int
        Multiply-adds of one evaluation.
    """

    function: Callable[[Any], Any]
    slope: Slope | None
    cost: int


TABLE: dict[str, Activation] = {}
"""All activations and their derivatives by name."""

Function = Callable[[Any], Any]


def entry(
    single: Function, double: Function, cost: int, slope: Slope | None = None
) -> Callable[[Function], Function]:
    """Return a decorator that adds an activation, written for NumPy arrays, to `TABLE`.

    Parameters
    ----------
    single, double : callable
        Kernels for one number in float32 and in float64.
    cost : int
        Multiply-adds.
    slope : callable, optional
        See `Activation`.
    """

    def decorate(numpy_function: Function) -> Function:
        name = numpy_function.__name__

        def function(x: Any) -> Any:
            result = numpy_function(x)
            return result.astype(x.dtype) if getattr(x, "dtype", None) in (F, D) else result

        function.__name__ = function.__qualname__ = name
        function.__module__, function.__doc__ = numpy_function.__module__, numpy_function.__doc__

        compiled = by_dtype(single, double)(function)
        TABLE[name] = Activation(compiled, slope, cost)
        return compiled

    return decorate


def for_both_types(kernel: Callable[[Any], Function]) -> tuple[Function, Function]:
    """Return the kernels ``kernel(float32)`` and ``kernel(float64)``."""
    return elementwise(kernel(F)), elementwise(kernel(D))
