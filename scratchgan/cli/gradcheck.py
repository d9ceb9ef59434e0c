"""Check hand-written gradients against finite differences."""

import inspect
import runpy
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..catalogue import layer_cases, loss_cases, network_cases, penalty_cases
from ..gradcheck import ADJOINT, FIRST, SECOND, check, check_loss
from ..layers import Layer


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    about = "FILE.py:NAME, a Layer class or object; otherwise, the whole library is checked"
    parser.add_argument("layer", nargs="?", help=about)
    parser.add_argument("--input-shape", help="with the batch axis, such as 4,6")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")


def run(options: Namespace) -> int:
    """Check the user's layer and print its table, or print a line for each catalogue entry."""
    if options.layer:
        layer = load_layer(options.layer)
        report = check(layer, _shape(options.input_shape), options.seed)
        print(report)
        return 0 if report.passed else 1
    reports = [check(layer, shape, options.seed) for layer, shape in layer_cases()]
    for name, network, shape in network_cases():
        reports.append(check(network, shape, options.seed))
        reports[-1].subject = name
    for name, loss, shapes in loss_cases() + penalty_cases():
        reports.append(check_loss(loss, *shapes, seed=options.seed))
        reports[-1].subject = name
    for report in reports:
        subject = report.subject if len(report.subject) <= 72 else report.subject[:69] + "..."
        verdict = "ok" if report.passed else "FAILED"
        print(f"{subject:72}  {len(report.rows):3} checks  worst {report.worst():.0e}  {verdict}")
    failed = [report for report in reports if not report.passed]
    for report in failed:
        print(f"\n{report}")
    rows = [row for report in reports for row in report.rows]
    kinds = {"first order": FIRST, "second order": SECOND, "identities": ADJOINT}
    for kind, tolerance in kinds.items():
        error = max((row.error for row in rows if row.tolerance == tolerance), default=0.0)
        print(f"worst error, {kind}: {error:.1e} of {tolerance:.0e} allowed")
    print(f"{len(reports)} subjects, {len(rows)} checks, {len(failed)} subjects failed")
    return 1 if failed else 0


def load_layer(target: str) -> Layer:
    """Load the layer that ``FILE.py:NAME`` names; a class is called without arguments.

    Parameters
    ----------
    target : str

    Returns
    -------
    Layer

    Raises
    ------
    ValueError
        There is no such file or name, the file cannot be run, or the object is no Layer.
    """
    file, _, name = target.partition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{file}: no such file; expected FILE.py:NAME, got {target!r}")
    if not name:
        raise ValueError(f"expected FILE.py:NAME with the name of a layer, got {target!r}")
    sys.path.insert(0, str(path.parent.resolve()))  # for the file's imports from its folder
    try:
        found = runpy.run_path(str(path.resolve()))
        if name not in found:
            raise AttributeError(f"the file has no {name!r}")
        layer = found[name]
        if isinstance(layer, type) and issubclass(layer, Layer):
            try:
                inspect.signature(layer).bind()
            except TypeError as error:
                instead = f"make an object, `layer = {name}(...)`, in the file; then {file}:layer"
                raise TypeError(f"{error}; {instead}") from None
            layer = layer()
    except Exception as error:  # whatever is in the user's file
        raise ValueError(f"{target}: {type(error).__name__}: {error}") from error
    if not isinstance(layer, Layer):
        raise ValueError(f"{target}: expected a Layer, got {layer!r}")
    return layer


def _shape(text):
    sizes = [size.strip() for size in (text or "").split(",")]
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ValueError(f"--input-shape: expected sizes, batch axis first (4,6), got {text!r}")
    return tuple(map(int, sizes))
