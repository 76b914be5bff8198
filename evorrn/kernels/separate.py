"""A way of compiling for functions whose arrays never overlap.

LLVM must otherwise check every pair of buffers before it may vectorise a loop, and gives up when
there are many. The emitter hands each buffer to a loop once, so the promise holds by construction.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler


class SeparateArrays(Compiler):
    """Numba's compiler, with all array arguments declared not to overlap."""

    def __init__(
        self,
        typingctx: Any,
        targetctx: Any,
        library: Any,
        args: Any,
        return_type: Any,
        flags: Any,
        locals: Any,
    ) -> None:
        flags = flags.copy()
        flags.noalias = True
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)
