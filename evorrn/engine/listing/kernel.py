"""Kernels of listings: small functions, each compiled when this machine first needs it, and then cached."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.engine.cache import load
from evorrn.kernels import machine

FIXED = '''"""The kernel {name} for {{dtype}}."""

import numpy as np

{imports}from evorrn.engine.listing.{home} import {name}

F = np.{{dtype}}


def kernel(row, at, now):
    {name}(row, at, now, F{more})
'''


@dataclass(frozen=True)
class Kernel:
    """A kernel of a listing.

    Attributes
    ----------
    name : str
        What it computes, for readers.
    source : str
        The source of a module with the function ``kernel``; the field ``{dtype}`` stands for the dtype.
    contract : bool
        Whether a product and a sum may be rounded once.
    """

    name: str
    source: str
    contract: bool = False

    def address(self, dtype: np.dtype) -> int:
        """Return the address of the machine code for a dtype, which is valid in this process."""
        return _address(self, dtype)


def fixed(name: str, given: str = "", module: str = "", home: str = "kernels") -> Kernel:
    """Return a kernel of `evorrn.engine.listing.kernels`, or of another module there.

    It receives `given`, a function of `module`.
    """
    imports = f"from {module} import {given}\n" if given else ""
    more = f", {given}" if given else ""
    return Kernel(name, FIXED.format(name=name, imports=imports, more=more, home=home), contract=True)


@functools.cache
def _address(kernel: Kernel, dtype: np.dtype) -> int:
    module: Any = load(kernel.source.format(dtype=dtype.name), f"{kernel.name}_{dtype.name}")
    if not machine.compiling():
        from evorrn.engine.listing.addresses import FUNCTIONS

        FUNCTIONS[id(module)] = module.kernel
        return id(module)
    module.compiled = _compiled(module.kernel, kernel.contract)  # holds the machine code
    return int(module.compiled.library.get_pointer_to_function(module.compiled.fndesc.llvm_func_name))


def _compiled(function: Any, contract: bool) -> Any:
    """Return what numba compiled or read from the cache.

    A kernel receives its row, the addresses of all places, and the moment: time step, number of steps, free memory.
    """
    from numba import njit, types

    from evorrn.engine.listing.addresses import POINTER
    from evorrn.kernels.separate import SeparateArrays
    from evorrn.kernels.store import checked

    signature = types.void(POINTER, POINTER, POINTER)
    options: dict[str, Any] = {
        "cache": True,
        "error_model": "numpy",
        "fastmath": {"contract"} if contract else False,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "pipeline_class": SeparateArrays,
    }
    dispatcher: Any = checked(njit(**options)(function))
    dispatcher.compile(signature)
    return dispatcher.overloads[signature.args]
