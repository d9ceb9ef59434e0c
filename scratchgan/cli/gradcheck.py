"""Check hand-written gradients against finite differences."""

import inspect
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import gradcheck, layers
from ..catalogue import layer_cases, loss_cases, network_cases, penalty_cases
from ..layers import Layer, ShapeError
from ..named import load_named

KIND = "a layer, or the names of two functions, FORWARD,BACKWARD or F,DF"


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    about = """a layer of the library, such as Dense; FILE.py:NAME, your Layer class or object;
    FILE.py:FORWARD,BACKWARD, where FORWARD(*inputs) returns (out, cache) and BACKWARD(dout, cache)
    a gradient for each input; FILE.py:F,DF, where F(x) returns no tuple, and DF(x) its slope (or
    DF(x, dy) dx); by default, the whole library"""
    parser.add_argument("target", nargs="?", help=" ".join(about.split()))
    about = "with the batch axis, such as 4,6; for functions one for each input: 4,6 6,3 3"
    parser.add_argument("--input-shape", nargs="+", metavar="SIZES", help=about)
    about = "draw the inputs of functions between these two, not from N(0, 1)"
    parser.add_argument("--between", nargs=2, type=float, metavar=("LOW", "HIGH"), help=about)
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")


def run(options: Namespace) -> int:
    """Check what the user names and print its table, or a line for each catalogue entry."""
    if options.input_shape and not options.target:  # --input-shape 4,6 FILE.py:NAME
        *options.input_shape, options.target = options.input_shape
        if options.target[:1].isdigit():
            raise ValueError("--input-shape: of what? Name a layer, such as Dense, or FILE.py:NAME")
    if options.target:
        reports = check_target(options)
        print(*reports, sep="\n\n")
        return 0 if all(report.passed for report in reports) else 1
    reports = [gradcheck.check(layer, shape, options.seed) for layer, shape in layer_cases()]
    for name, network, shape in network_cases():
        reports.append(gradcheck.check(network, shape, options.seed))
        reports[-1].subject = name
    for name, loss, shapes in loss_cases() + penalty_cases():
        reports.append(gradcheck.check_loss(loss, *shapes, seed=options.seed))
        reports[-1].subject = name
    for report in reports:
        subject = report.subject if len(report.subject) <= 72 else report.subject[:69] + "..."
        verdict = "ok" if report.passed else "FAILED"
        print(f"{subject:72}  {len(report.rows):3} checks  worst {report.worst():.0e}  {verdict}")
    failed = [report for report in reports if not report.passed]
    for report in failed:
        print(f"\n{report}")
    rows = [row for report in reports for row in report.rows]
    kinds = {
        "first order": gradcheck.FIRST,
        "second order": gradcheck.SECOND,
        "identities": gradcheck.ADJOINT,
    }
    for kind, tolerance in kinds.items():
        error = max((row.error for row in rows if row.tolerance == tolerance), default=0.0)
        print(f"worst error, {kind}: {error:.1e} of {tolerance:.0e} allowed")
    print(f"{len(reports)} subjects, {len(rows)} checks, {len(failed)} subjects failed")
    return 1 if failed else 0


def check_target(options: Namespace) -> list[gradcheck.Report]:
    """Check the layer or the functions that ``options.target`` names.

    Raises
    ------
    ValueError
        There is no such file or name, or its object or the shapes cannot be used.
    """
    target, seed = options.target, options.seed
    ours = ":" not in target and not Path(target).exists()
    found = None if ours else load_named(target, KIND, _fits)
    if isinstance(found, tuple):
        return [_check_pair(target, found, options)]
    if options.between:
        raise ValueError("--between is for functions; a layer gets inputs from N(0, 1)")
    if ours:
        return _check_ours(target, options.input_shape, seed)
    layer = as_layer(found, target)
    shapes = _shapes(options.input_shape)
    if len(shapes) > 1:
        raise ValueError(f"--input-shape: expected one shape for a layer, got {len(shapes)}")
    return [gradcheck.check(layer, shapes[0], seed)]


def as_layer(found: Any, target: str) -> Layer:
    """Return a layer as it is, or an object of a Layer class, called without arguments.

    Parameters
    ----------
    found : object
    target : str
        Its name, for messages.
    """
    if isinstance(found, type) and issubclass(found, Layer):
        file, _, name = target.rpartition(":")
        try:
            inspect.signature(found).bind()
        except TypeError as error:
            instead = f"make an object, `layer = {name}(...)`, in the file; then {file}:layer"
            raise ValueError(f"{target}: TypeError: {error}; {instead}") from None
        try:
            found = found()
        except Exception as error:  # whatever is in the user's file
            raise ValueError(f"{target}: {type(error).__name__}: {error}") from error
    if inspect.isfunction(found):
        pairs = "FILE.py:forward,backward, or FILE.py:f,df"
        raise ValueError(f"{target}: expected a Layer, got one function; name two, {pairs}")
    if not isinstance(found, Layer):
        raise ValueError(f"{target}: expected a Layer, got {found!r}")
    return found


def _fits(value):
    """Return True for what this command can check."""
    layer = issubclass(value, Layer) if isinstance(value, type) else isinstance(value, Layer)
    return layer or inspect.isfunction(value)


def _check_pair(target, functions, options):
    """Check two functions: the first one's result tells if they are forward, backward or f, df."""
    if len(functions) != 2 or not all(map(callable, functions)):
        raise ValueError(f"{target}: expected two functions, got {', '.join(map(repr, functions))}")
    rng, shapes = np.random.default_rng(options.seed), _shapes(options.input_shape)
    low, high = options.between or (-1.0, 1.0)
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"--between: expected LOW below HIGH, got {low:g} {high:g}")
    draw = partial(rng.uniform, low, high) if options.between else rng.standard_normal
    inputs = [draw(size=shape) for shape in shapes]
    one = len(inputs) == 1
    with suppress(Exception), np.errstate(all="ignore"):  # the check tells about errors
        one = one and not isinstance(functions[0](inputs[0].copy()), tuple)
    if one:
        return gradcheck.check_function(*functions, inputs[0], options.seed)
    return gradcheck.check_functions(*functions, inputs, options.seed)


def _check_ours(name, shapes, seed):
    """Check all cases of a layer of the library; on another shape, if it is given."""
    cases = [(layer, shape) for layer, shape in layer_cases() if type(layer).__name__ == name]
    if not cases and name in layers.__all__:
        others = "`gradcheck` without a name checks what holds it"
        raise ValueError(f"{name}: there is no ready case of it alone; {others}")
    if not cases:
        names = dict.fromkeys(type(layer).__name__ for layer, _ in layer_cases())
        near = ", ".join(get_close_matches(name, names, n=3, cutoff=0.4) or names)
        own = "a layer of your own is FILE.py:NAME"
        raise ValueError(f"{name}: no file, and no layer of the library ({near}); {own}")
    reports, refusal = [], None
    for layer, own in cases:
        try:
            reports.append(gradcheck.check(layer, _shapes(shapes)[0] if shapes else own, seed))
        except ShapeError as error:
            refusal = error
    if refusal and not reports:
        raise refusal
    return reports


def _shapes(texts):
    """Return the shapes that ``--input-shape`` gives."""
    if not texts:
        example = "--input-shape 4,6; for functions one for each input, --input-shape 4,6 6,3 3"
        raise ValueError(f"give --input-shape with the batch axis first, such as {example}")
    found = []
    for text in texts:
        sizes = [size.strip() for size in text.split(",")]
        if not all(size.isdecimal() and int(size) for size in sizes):
            wanted = "expected sizes, batch axis first (4,6)"
            raise ValueError(f"--input-shape: {wanted}, got {text!r}")
        found.append(tuple(map(int, sizes)))
    return found
