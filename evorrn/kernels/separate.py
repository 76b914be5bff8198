"""Ways of compiling: for loops over whole buffers, and for functions that only compiled functions call.

In a loop over whole buffers arrays never overlap, and vectors are as wide as can be. LLVM must otherwise check every
pair of buffers before it may vectorise a loop, and gives up when there are many. The emitter hands each buffer to a loop
once, so the promise holds by construction. On processors that once slowed down for 512 bits LLVM takes 256 of its own
accord.

numba optimises every function by itself and makes machine code of it, and then does so again for each function that
calls it, into which it is linked. What only compiled functions call needs neither: it is optimised with its callers.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.extending import register_jitable

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


class _CalledLower(Lower):
    """Numba's writer of LLVM functions, whose code is not copied into their callers."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        self.function.attributes.add("noinline")


@register_pass(mutates_CFG=True, analysis_only=False)
class _CalledLowering(NativeLowering):
    _name = "evorrn_called_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _CalledLower


class _PartLibrary(JITCodeLibrary):
    """The code of a function that is linked into its callers: not optimised as a whole, without machine code."""

    def finalize(self) -> None:
        """Link what the function calls."""
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: there is no machine code."""
        return 0

    @property
    def codegen(self) -> Any:
        """An object that takes the environment of the function, which machine code would read."""
        return _NoCode


class _NoCode:
    @staticmethod
    def set_env(name: str, environment: Any) -> None:
        """Do nothing."""


def _with_part_library(step: type[NativeLowering], name: str) -> type[NativeLowering]:
    """Return a step of lowering whose functions are parts of others."""

    class Lowering(step):  # type: ignore[misc, valid-type]
        _name = name

        def run_pass(self, state: Any) -> Any:
            state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
            return super().run_pass(state)

    return register_pass(mutates_CFG=True, analysis_only=False)(Lowering)


_PartLowering = _with_part_library(NativeLowering, "evorrn_part_lowering")
_WidePartLowering = _with_part_library(_WideLowering, "evorrn_wide_part_lowering")
_CalledPartLowering = _with_part_library(_CalledLowering, "evorrn_called_part_lowering")


class _Lowered(Compiler):
    """Numba's compiler with another last step, `lowering`."""

    lowering: type[NativeLowering] = NativeLowering

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's pipelines with the last step exchanged."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (self.lowering if step is NativeLowering else step, what) for step, what in pipeline.passes
            ]
            pipeline.finalize()
        return pipelines


class Part(_Lowered):
    """Numba's compiler of functions that only compiled functions call."""

    lowering = _PartLowering


class CalledPart(_Lowered):
    """`Part` for functions that programs call at many places but not often, so that their code is there once."""

    lowering = _CalledPartLowering


class SeparateArrays(_Lowered):
    """Numba's compiler, with all array arguments declared not to overlap and loops over whole registers."""

    lowering: type[NativeLowering] = _WideLowering

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


class SeparatePart(SeparateArrays):
    """`SeparateArrays` for functions that only compiled functions call."""

    lowering = _WidePartLowering


INLINED: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}
"""Options of functions in which a product and a sum may be rounded once."""

PART: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": Part}
"""Options of functions that only compiled functions call."""

ELEMENTWISE: dict[str, Any] = {**INLINED, **PART}
"""Options of functions of one number that only compiled functions call."""

LOOPS: dict[str, Any] = {**ELEMENTWISE, "pipeline_class": SeparatePart}
"""Options of functions that only compiled functions call and that loop over the lanes of tiles, which do not overlap."""

separate = njit(**INLINED, pipeline_class=SeparateArrays)
"""Compiles a loop over arrays that do not overlap where one is written, so that it is a loop over vectors."""

part = register_jitable(**PART)
called_part = register_jitable(**{**PART, "pipeline_class": CalledPart})
inlined = register_jitable(**INLINED)
elementwise = register_jitable(**ELEMENTWISE)
loops = register_jitable(**LOOPS)
