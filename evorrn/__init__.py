"""evorrn: recurrent networks, trained in more than one way and compared fairly.

Everything public can be imported from here. The stub beside this file declares each name once; a name is
loaded when it is first used.
"""

import os

import lazy_loader

from evorrn.base import moved

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

moved.install()

if "EVORRN_VECTOR" in os.environ:  # the compiler must be limited before numba compiles anything
    from evorrn.kernels.machine import limit_compiler

    limit_compiler()
