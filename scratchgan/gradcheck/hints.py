"""Hints: guesses at the mistake behind a failed row, and at the line of code to look at."""

import traceback
from inspect import isfunction, signature
from itertools import product
from pathlib import Path

import numpy as np

from ..layers.base import Elementwise, Layer, LinearMap

ADD = "write Param.grad += ..., never Param.grad[...] = ..."
CURES = {  # what to do where a row of this name fails
    "forward repeats itself": "draw random numbers from a Generator kept on the layer, and let\n"
    "forward change nothing that it reads; nothing more can be checked until then",
    "inputs left alone": "the loss writes into an input: compute in a new array",
    "x, dy and weights left alone": "forward or backward writes into it: compute in a new array",
    "double_backward leaves inputs alone": "double_backward writes into it: use a new array",
    "double_backward twice adds twice": f"leave the cache as it is, and {ADD}",
    "a cache can be used twice": f"leave the cache as it is, and {ADD}",
    "two batches in flight": "keep what backward needs in the cache, not on self",
    'into_params="only"': "add the same gradients as with True; only dx may be left out",
    "into_params=False": "leave all gradients alone, and return the same dx as with True",
    "gradients add up": ADD,
}
OURS, NUMPY = Path(__file__).parents[1], Path(np.__file__).parent
PYTHON = Path(traceback.__file__).parent


def guess(claimed, found):
    """Guess the mistake: compare all entries of a gradient with those found by differences."""
    if not np.isfinite(claimed).all():
        return "the gradient is not finite: look for a division by zero or an overflow"
    if not claimed.any():
        return "the gradient is zero everywhere: it was never added, or got lost on the way"
    power = found @ found
    if power < 1e-12 * (claimed @ claimed):
        return "the true gradient is zero: this term should not be there, or should cancel"
    ratio, largest = (claimed @ found) / power, np.abs(found).max()
    off, rest = np.abs(claimed - found).max() / largest, np.abs(claimed - ratio * found).max()
    if off <= 1e-4:
        what = f"entries deviate by {off:.0e} of the largest at most"
        if rest <= 0.1 * off * largest:
            what = f"every entry is {ratio:.8g} times what it should be"
        return f"{what}: an epsilon, or a constant that was rounded"
    if rest > 1e-5 * np.abs(claimed).max():
        wrong = np.abs(claimed - found) > 1e-5 * largest
        if wrong.mean() < 0.5:
            return f"only {wrong.sum()} of {wrong.size} entries differ: look at borders and indices"
        mistakes = "a missing term, a factor that is not the same for\nevery entry (a slope, say)"
        return f"entries differ in no simple way: {mistakes}, a transpose, or wrong axes"
    if abs(ratio + 1) < 1e-5:
        return "every entry has the wrong sign"
    return f"every entry is {ratio:.6g} times what it should be: a factor is forgotten or doubled"


def explain(error, layer, shape=None):
    """Return an error's message, the line of code to look at, and a hint where there is one.

    Parameters
    ----------
    error : Exception
    layer : Layer
        The error comes from it, or from a layer in it.
    shape : tuple of int, optional
        The input shape, if the error may come from it.
    """
    frames, declared, hint = traceback.extract_tb(error.__traceback__), None, ""
    own = [frame for frame in frames if _of_the_user(frame.filename)]
    place = (own or frames)[-1]
    if own and shape and isinstance(error, (ValueError, IndexError)):
        hint = f"\nhint: is {shape} an input shape that the layer takes?"
    elif not own and isinstance(error, NotImplementedError):
        declared = (vars(Layer) | vars(LinearMap) | vars(Elementwise)).get(place.name)
    elif not own and isinstance(error, TypeError):
        place, declared = _uncallable(error, layer) or (place, None)
    if declared:
        hint = f"\nhint: declare it as {declared.__name__}{signature(declared)}"
    return f"{type(error).__name__}: {error}\n{place.filename}:{place.lineno}: {place.line}{hint}"


def _of_the_user(file):
    """Return True if this code file is the user's: not the library's, NumPy's or Python's."""
    python = PYTHON in Path(file).parents and "site-packages" not in file
    return not (python or file.startswith("<") or {OURS, NUMPY} & set(Path(file).parents))


def _uncallable(error, layer):
    """Find the method that does not take the arguments it was called with.

    The error arises before the first line of the method, so no frame of the traceback is the
    method's own. But the last frame is its caller's, and the caller's code names the method. The
    first class that has this method (`Layer`, say) declares how it is called.

    Returns
    -------
    place : FrameSummary
        The method's first line.
    declared : function
        The method of the first class; or None instead of both, if no method is at fault.
    """
    *_, (caller, _) = traceback.walk_tb(error.__traceback__)
    for part, name in product(layer.sublayers().values(), caller.f_code.co_names):
        methods = [vars(kind)[name] for kind in type(part).__mro__ if name in vars(kind)]
        if len(methods) < 2 or not all(map(isfunction, methods)):
            continue
        arguments, bind = dict(signature(methods[-1]).parameters), signature(methods[0]).bind
        try:
            bind(*arguments)
            if arguments.pop("into_params", None):
                bind(*arguments, into_params=True)  # it is also called by keyword
        except TypeError:
            code = methods[0].__code__
            return traceback.FrameSummary(code.co_filename, code.co_firstlineno, name), methods[-1]
    return None


def unlearned(layer):
    """Return a note on each layer that has arrays of its own, but no `Param`."""
    notes = []
    for part in layer.sublayers().values():
        arrays = {name: a for name, a in vars(part).items() if isinstance(a, np.ndarray)}
        known = {"theta", "grad", *part.buffers}
        own = [name for name, a in arrays.items() if a.dtype.kind == "f" and name not in known]
        if own and not part.parts():
            note = f"{part} has no parameters, but arrays of its own ({', '.join(own)}), which are"
            notes.append(f"{note}\nnot learned: make each a Param, or name it in `buffers`")
    return notes
