"""What a report says of a layer's code: where it broke off, and which arrays nothing learns."""

import inspect
import os
import sysconfig
import traceback
from pathlib import Path

import numpy as np

from ..layers.base import Elementwise, Layer, LinearMap
from .report import Row

__all__ = ["broken_row", "unlearned"]

OURS, NUMPY = f"{Path(__file__).parents[1]}{os.sep}", f"{Path(np.__file__).parent}{os.sep}"
PYTHON = sysconfig.get_path("stdlib") + os.sep


def broken_row(method, error, layer, shape=None):
    """A row: this method raised. With the line of the user's code, and a hint where there is one.

    Parameters
    ----------
    method : str
    error : Exception
    layer : Layer
        Perhaps a network; the method may be that of a layer in it.
    shape : tuple of int, optional
        Of the input, where the error may come from it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if of_the_user(frame.filename)]
    place, hint = (own or frames)[-1], ""
    if own:
        if shape and isinstance(error, (ValueError, IndexError)):
            hint = f"\nhint: is {shape} an input shape that the layer takes?"
    elif isinstance(error, NotImplementedError):
        hint = declared(place.name)
    elif refused := uncallable(layer, str(error)):
        code = refused.__code__
        place = traceback.FrameSummary(code.co_filename, code.co_firstlineno, code.co_name)
        hint = declared(code.co_name)
    at = f"{place.filename}:{place.lineno}: {place.line}"
    return Row(f"{method} runs", np.inf, 0, f"{type(error).__name__}: {error}\n{at}{hint}")


def of_the_user(file):
    """Whether this file of code is neither ours nor NumPy's nor Python's."""
    pythons = file.startswith((PYTHON, "<")) and "site-packages" not in file
    return not (pythons or file.startswith((OURS, NUMPY)))


def uncallable(layer, message):
    """The method of ``layer``, or of one in it, that does not take the arguments it was given.

    Such an error arises before the method's first line, and no frame leads to it; but the message
    begins with its name: ``Mine.forward() takes 2 positional arguments but 3 were given``.
    """
    name = message.partition("()")[0]
    for part in layer.sublayers().values():
        method = getattr(type(part), name.rpartition(".")[2], None)
        if inspect.isfunction(method) and method.__qualname__ == name:
            return method
    return None


def declared(name):
    """A hint: the method as ``layers/base.py`` declares it; nothing if it is none of those."""
    for kind in (Layer, LinearMap, Elementwise):
        if name in vars(kind):
            return f"\nhint: wanted is {name}{inspect.signature(vars(kind)[name])}"
    return ""


def unlearned(layer):
    """Notes: layers without a `Param` that keep arrays of their own all the same."""
    notes = []
    for part in layer.sublayers().values():
        known = {"theta", "grad", *part.buffers}
        names = [
            name
            for name, value in vars(part).items()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and name not in known
        ]
        if names and not part.parts():
            notes.append(
                f"{part} has no parameters, but arrays of its own ({', '.join(names)}), which are\n"
                "not learned: make each a Param, or name it in `buffers`"
            )
    return notes
