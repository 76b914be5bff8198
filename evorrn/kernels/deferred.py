"""Functions for compiled code whose modules are imported without numba.

Importing numba takes longer than most commands need. So a decorator of this file only keeps a function: numba sees it
when Python first calls it, or when a function that calls it is compiled.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
Make = Callable[[Callable[..., Any]], Any]


class Deferred:
    """A Python function that compiled functions can call.

    Parameters
    ----------
    function : callable
        The Python function. Python calls it as it is.
    make : callable
        Returns what numba knows of the function: a decorator of numba.
    """

    def __init__(self, function: Callable[..., Any], make: Make) -> None:
        functools.update_wrapper(self, function)
        self.py_func, self._make, self._made = function, make, None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the Python function."""
        return self.py_func(*arguments, **named)

    def __repr__(self) -> str:
        return f"<function {self.py_func.__qualname__} of {self.py_func.__module__}>"

    def __reduce__(self) -> str:
        return self.py_func.__qualname__  # as a function: by the name under which its module has it

    @property
    def made(self) -> Any:
        """What numba knows of the function."""
        if self._made is None:
            with _making:
                self._made = self._made or self._make(self.py_func)
        return self._made

    @property
    def _numba_type_(self) -> Any:
        """The type that numba asks for when it compiles a function that calls this one."""
        from numba.core.registry import cpu_target

        made, context = self.made, cpu_target.typing_context
        context.refresh()
        return context.resolve_value_type(made)


class Compiled(Deferred):
    """A compiled function, which Python calls, too."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the compiled function."""
        return self.made(*arguments, **named)


_making = threading.RLock()


def _decorator(kind: type[Deferred], place: str) -> Callable[[F], F]:
    """Return a decorator that stands for another one, which is imported from ``module:name`` when it is needed."""
    module, name = place.split(":")

    def make(function: Callable[..., Any]) -> Any:
        return getattr(importlib.import_module(module), name)(function)

    def decorate(function: F) -> F:
        return cast("F", kind(function, make))

    return decorate


compiled = _decorator(Compiled, "evorrn.kernels.cached:compiled")
"""For functions that environments are made of."""

cached = _decorator(Compiled, "evorrn.kernels.cached:cached")
reordered = _decorator(Compiled, "evorrn.kernels.cached:reordered")
"""For functions whose machine code is stored; those of the second may add their sums in another order."""

separate = _decorator(Compiled, "evorrn.kernels.separate:separate")
"""For loops over arrays that do not overlap, which become loops over vectors."""

part = _decorator(Deferred, "evorrn.kernels.separate:part")
called_part = _decorator(Deferred, "evorrn.kernels.separate:called_part")
"""For functions that only compiled functions call; those of the second at many places but not often."""

inlined = _decorator(Deferred, "evorrn.kernels.separate:inlined")
elementwise = _decorator(Deferred, "evorrn.kernels.separate:elementwise")
"""The same, where a product and a sum may be rounded once: for any function, and for functions of one number."""

loops = _decorator(Deferred, "evorrn.kernels.separate:loops")
"""The same for loops over the lanes of tiles, which do not overlap."""

intrinsic = _decorator(Deferred, "numba.extending:intrinsic")
"""For functions that write their instructions with llvmlite, which they import themselves."""


def by_dtype(single: Any, double: Any, whole: Any = None) -> Callable[[F], F]:
    """Return a decorator of a function ``f(x)``, which Python calls, for one that depends on the dtype in compiled code.

    Parameters
    ----------
    single, double : Deferred
        What compiled functions call for a number in float32 and in float64.
    whole : callable, optional
        What they call for a whole number.
    """

    def make(function: Callable[..., Any]) -> Any:
        from numba import types
        from numba.extending import overload

        from evorrn.kernels.separate import ELEMENTWISE

        @overload(function, jit_options=ELEMENTWISE)
        def choose(x):
            chosen = {types.float32: single, types.float64: double}.get(x)
            if chosen is not None:
                return chosen.py_func
            return whole if isinstance(x, types.Integer) else None

        return function

    def decorate(function: F) -> F:
        return cast("F", Deferred(function, make))

    return decorate
