"""Compiles the numba functions of users again, so that emitted kernels can inline them, and computes their hashes.

An emitted program calls the functions of an environment for every lane of a vector. LLVM turns such a loop into
vector code only if the functions are inlined and cannot raise. So they, and all compiled functions that they call,
are compiled again from their bytecode with the options of the kernel.

The file of a kernel is named by a hash of its content. `fingerprint` is the part of the user's functions: a hash of
their bytecode, of the constants they refer to, and of all functions they call.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from evorrn.kernels.deferred import Compiled

OPTIONS: dict[str, Any] = {
    "fastmath": False,  # otherwise the compiler would choose which products become multiply-adds
    "error_model": "numpy",
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def is_compiled(function: Any) -> bool:
    """Return whether a function was made with ``numba.njit``; if numba is disabled, whether it is a function."""
    from numba import config
    from numba.core.dispatcher import Dispatcher

    function = _made(function)
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return isinstance(function, types.FunctionType)
    return isinstance(function, Dispatcher)


def _made(value: Any) -> Any:
    """Return what numba made of a function that was to be compiled when it is needed; return anything else unchanged."""
    return value.made if isinstance(value, Compiled) else value


def inlined(function: Any) -> Any:
    """Return a function that kernels inline, compiled again together with all compiled functions that it calls."""
    import numba
    from numba import config

    compiler: Any = numba.njit
    return function if config.DISABLE_JIT else _rebuilt(function, {}, compiler(**OPTIONS))  # type: ignore[attr-defined]


def interpreted(function: Any) -> Any:
    """Return a compiled function as plain Python, together with all compiled functions that it calls."""
    return _rebuilt(function, {}, lambda copy: copy)


def _rebuilt(value: Any, made: dict[int, Any], make: Callable[[types.FunctionType], Any]) -> Any:
    """Return ``make(copy of the Python function)`` of a compiled function; return anything else unchanged.

    Compiled functions that it refers to are replaced in the same way. `made` holds the results so far by id.
    """
    from numba.core.dispatcher import Dispatcher

    value = _made(value)
    if id(value) in made:
        return made[id(value)]
    if not isinstance(value, Dispatcher):
        return value
    function = value.py_func
    copy = types.FunctionType(
        function.__code__,
        names := dict(function.__globals__),
        function.__name__,
        function.__defaults__,
        tuple(types.CellType() for _ in function.__closure__ or ()),
    )
    # Cached code imports the module that a function names; the name of the user's module may change.
    copy.__module__, copy.__qualname__ = __name__, function.__qualname__
    made[id(value)] = result = make(
        copy
    )  # before the names are replaced: numba reads them only when it compiles
    for name in _names(function.__code__):
        if isinstance(names.get(name), types.ModuleType):
            names[name] = _module(names[name], function.__code__, made, make)
        elif name in names:
            names[name] = _rebuilt(names[name], made, make)
    for cell, own in zip(copy.__closure__ or (), function.__closure__ or ()):
        cell.cell_contents = _rebuilt(own.cell_contents, made, make)
    return result


def _module(
    module: types.ModuleType,
    code: types.CodeType,
    made: dict[int, Any],
    make: Callable[[types.FunctionType], Any],
) -> types.ModuleType:
    """Return a copy of a module whose compiled functions that the code uses are replaced, see `_rebuilt`."""
    from numba.core.dispatcher import Dispatcher

    used = {name: _made(getattr(module, name, None)) for name in _names(code)}
    compiled = {name: value for name, value in used.items() if isinstance(value, Dispatcher)}
    if not compiled:
        return module
    copy = types.ModuleType(module.__name__)
    vars(copy).update(vars(module))
    vars(copy).update({name: _rebuilt(value, made, make) for name, value in compiled.items()})
    return copy


def fingerprint(*functions: Any) -> str:
    """Return a hash of functions and everything they refer to; it is the same in every process."""
    seen: dict[int, int] = {}
    text = "\n".join(part for function in functions for part in _parts(function, seen))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _parts(value: Any, seen: dict[int, int]) -> Iterator[str]:
    """Yield texts that describe a value completely; `seen` numbers the functions described so far, by id."""
    function = getattr(value, "py_func", value)
    if isinstance(function, types.FunctionType):
        if id(function) in seen:
            yield f"again {seen[id(function)]}"
            return
        seen[id(function)] = len(seen)
        yield from _code(function.__code__)
        yield repr(function.__defaults__)
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                yield name
                yield from _referred(function.__globals__[name], function.__code__, seen)
        for cell in function.__closure__ or ():
            yield from _parts(cell.cell_contents, seen)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    elif isinstance(value, bool | int | float | complex | str | bytes | type(None)):
        yield repr(value)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _parts(item, seen)
        yield f"{len(value)} entries"
    else:
        kind = type(value)
        yield f"{kind.__module__}.{kind.__qualname__} {getattr(value, '__name__', '')}"


def _referred(value: Any, code: types.CodeType, seen: dict[int, int]) -> Iterator[str]:
    """Yield texts that describe a global variable; for a module its name and the attributes that the code uses."""
    if not isinstance(value, types.ModuleType):
        yield from _parts(value, seen)
        return
    yield value.__name__
    for name in sorted(_names(code)):
        used = getattr(value, name, None)
        if callable(used) or isinstance(used, int | float | tuple | np.ndarray):
            yield name
            yield from _parts(used, seen)


def _code(code: types.CodeType) -> Iterator[str]:
    """Yield texts that describe bytecode and its constants."""
    yield f"{code.co_code.hex()} {code.co_varnames} {code.co_names} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code(constant)
        elif isinstance(constant, frozenset):  # its order differs between processes
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)


def _names(code: types.CodeType) -> set[str]:
    """Return the names of globals and attributes that bytecode refers to."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found
