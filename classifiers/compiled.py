"""Loops over pixels as machine code, by Numba: the one adapter of that library.

What is written as a loop over the pixels of one spectrum is compiled once per machine, kept beside the module (or in
``NUMBA_CACHE_DIR``, or the user's cache folder where neither can be written), and runs outside the interpreter's lock,
so that threads share nothing. Arithmetic may be reordered to use the processor's vectors, always in the same way for
the same shape, and each spectrum is computed by itself: its bits depend on it alone and on the type of the processor.
Functions are compiled into their callers: of a function apart from them there would be two versions in the process that
compiles, which may round differently, and one in those that load what it kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function when it is first called with arguments of new types.

    What it reads beside its arguments (constants, other compiled functions) must be in its own file, and arrays are
    sliced along their first axis only: what is kept is compiled anew when that file changes, not when others do, and
    only what is known to be contiguous is turned into vectors.
    """
    compile_it = partial(
        numba.njit, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}, forceinline=True
    )
    try:
        return cast(Function, compile_it(function, cache=True))
    except RuntimeError:  # there is no folder to keep it in: every process compiles it again
        return cast(Function, compile_it(function))
