"""A way of compiling for loops over whole buffers: arrays never overlap, and vectors are as wide as can be.

LLVM must otherwise check every pair of buffers before it may vectorise a loop, and gives up when
there are many. The emitter hands each buffer to a loop once, so the promise holds by construction.
On processors that once slowed down for 512 bits LLVM takes 256 of its own accord.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from evorrn.kernels import machine


class _WideLower(Lower):
    """Numba's writer of LLVM functions, which asks for loops over whole vector registers."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # Past the set's own check, which knows no attributes with values.
        set.add(self.function.attributes, f'"prefer-vector-width"="{machine.vector_bits()}"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "evorrn_wide_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower


class SeparateArrays(Compiler):
    """Numba's compiler, with all array arguments declared not to overlap and loops over whole registers."""

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

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's pipelines with the last step exchanged."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (_WideLowering if step is NativeLowering else step, what) for step, what in pipeline.passes
            ]
            pipeline.finalize()
        return pipelines
