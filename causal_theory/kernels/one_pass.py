"""Let LLVM optimise every line of code once: a helper is optimised and emitted as a part of the kernels that call it.

numba does both for every function, and again in each function above it: code four calls below a kernel goes through
LLVM five times. Here a helper is translated and simplified by itself, which takes little time; without it the loops of
its callers take up to twice as long. A later numba that is built in another way compiles helpers as it
compiles everything.
"""

from typing import Any

from numba import njit

try:
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import CompilerBase, DefaultPassBuilder
    from numba.core.compiler_machinery import LoweringPass, register_pass
    from numba.core.registry import CPUDispatcher
    from numba.core.typed_passes import AnnotateTypes

    _KNOWN = all(
        hasattr(JITCodeLibrary, name)
        for name in (
            "_ensure_finalized",
            "_finalize_dynamic_globals",
            "_finalize_final_module",
            "_optimize_final_module",
            "_optimize_functions",
            "_verify_declare_only_symbols",
            "get_pointer_to_function",
        )
    )
except ImportError:
    _KNOWN = False

if _KNOWN:

    class _Translated(JITCodeLibrary):
        """The code of a helper, for linking only."""

        def _optimize_functions(self, ll_module: Any) -> None:
            super()._optimize_functions(ll_module)

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            return 0

        @property
        def codegen(self) -> Any:
            return _NotEmitted()

    class _Optimised(_Translated):
        """The code of a helper that is optimised by itself as well."""

        def _optimize_final_module(self) -> None:
            JITCodeLibrary._optimize_final_module(self)

    class _NotEmitted:
        """Stand in for the code generator, which knows places in emitted code only."""

        def set_env(self, name: str, environment: object) -> None:
            """Do nothing: the place for the address of Python objects, which no helper uses, is not there."""

    @register_pass(mutates_CFG=True, analysis_only=False)
    class _TranslateOnly(LoweringPass):
        """Have the code that comes next put into a library that is not emitted."""

        _name = "translate_only"
        _library: type[JITCodeLibrary] = _Translated

        def __init__(self) -> None:
            LoweringPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            state.library = self._library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            return True

    @register_pass(mutates_CFG=True, analysis_only=False)
    class _TranslateAndOptimise(_TranslateOnly):
        """The same, optimised."""

        _name = "translate_and_optimise"
        _library = _Optimised

    class _Compiler(CompilerBase):
        translate = _TranslateOnly

        def define_pipelines(self) -> list[Any]:
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            manager.add_pass_after(self.translate, AnnotateTypes)
            manager.finalize()
            return [manager]

    class _OptimisingCompiler(_Compiler):
        translate = _TranslateAndOptimise

    class _Helper(CPUDispatcher):
        def __call__(self, *arguments: Any, **keywords: Any) -> Any:
            raise TypeError(f"{self.py_func.__name__} is a helper: only kernels can call it")


def compiled_helper(function: Any, hot: bool = False, **options: Any) -> Any:
    """Compile a function for kernels to call, which Python cannot; one that is ``hot`` is optimised by itself too."""
    if not _KNOWN:
        return njit(**options)(function)
    compiler = _OptimisingCompiler if hot else _Compiler
    helper = njit(pipeline_class=compiler, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
    helper.__class__ = _Helper
    return helper
