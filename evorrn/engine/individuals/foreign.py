"""Functions that users wrote for numba, made ready to be part of an emitted kernel.

An emitted program calls an environment's functions for every lane of a vector. For LLVM to turn such a
loop into vector code they must be inlined, and must not be able to raise: so they, and all compiled
functions that they call, are compiled once more from their bytecode under the kernel's own rules.

A kernel's file is named by what it contains; `fingerprint` says what such functions contain: their
bytecode, the numbers they refer to, and the same of every function they call.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

OPTIONS: dict[str, Any] = {
    "fastmath": False,  # which product of a user's sum becomes a multiply-add would be the compiler's choice
    "error_model": "numpy",
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def is_compiled(function: Any) -> bool:
    """Return whether a function was made with ``numba.njit``; with numba switched off, any will do."""
    from numba import config
    from numba.core.dispatcher import Dispatcher

    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return isinstance(function, types.FunctionType)
    return isinstance(function, Dispatcher)


def inlined(function: Any) -> Any:
    """Return a compiled function, and with it all compiled functions it calls, to be inlined in kernels."""
    import numba
    from numba import config

    compiler: Any = numba.njit
    return function if config.DISABLE_JIT else _remade(function, {}, compiler(**OPTIONS))  # type: ignore[attr-defined]


def interpreted(function: Any) -> Any:
    """Return a compiled function, and with it all compiled functions it calls, as plain Python."""
    return _remade(function, {}, lambda copy: copy)


def _remade(value: Any, made: dict[int, Any], make: Callable[[types.FunctionType], Any]) -> Any:
    """Return the like of a dispatcher made from its Python function; anything else as it is."""
    from numba.core.dispatcher import Dispatcher

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
    # Cached code imports the module that its functions name; the user's may have another name by then.
    copy.__module__, copy.__qualname__ = __name__, function.__qualname__
    made[id(value)] = result = make(copy)  # numba looks names up when it compiles
    for name in _names(function.__code__):
        if isinstance(names.get(name), types.ModuleType):
            names[name] = _module(names[name], function.__code__, made, make)
        elif name in names:
            names[name] = _remade(names[name], made, make)
    for cell, own in zip(copy.__closure__ or (), function.__closure__ or ()):
        cell.cell_contents = _remade(own.cell_contents, made, make)
    return result


def _module(
    module: types.ModuleType,
    code: types.CodeType,
    made: dict[int, Any],
    make: Callable[[types.FunctionType], Any],
) -> types.ModuleType:
    from numba.core.dispatcher import Dispatcher

    used = {name: getattr(module, name, None) for name in _names(code)}
    compiled = {name: value for name, value in used.items() if isinstance(value, Dispatcher)}
    if not compiled:
        return module
    copy = types.ModuleType(module.__name__)
    vars(copy).update(vars(module))
    vars(copy).update({name: _remade(value, made, make) for name, value in compiled.items()})
    return copy


def fingerprint(*functions: Any) -> str:
    """Return a hash of functions and everything they refer to; the same in every process."""
    seen: dict[int, int] = {}
    text = "\n".join(part for function in functions for part in _parts(function, seen))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _parts(value: Any, seen: dict[int, int]) -> Iterator[str]:
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
    """Yield what a global is; of a module, its name and what is used of it."""
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
    yield f"{code.co_code.hex()} {code.co_varnames} {code.co_names} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code(constant)
        elif isinstance(constant, frozenset):  # the order of its text differs between processes
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
