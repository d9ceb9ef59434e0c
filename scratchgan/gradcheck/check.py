"""Is this backprop right? The two checks: of a layer, and of a loss.

What is asked of a layer, and how it is found out, is in ``subject.py``.
"""

import numpy as np
from threadpoolctl import threadpool_limits

from ..layers.base import Layer
from .checks import FIRST, KinkError, gradient_row, no_limit, same_row
from .report import Report, Row
from .under_test import LayerUnderTest

__all__ = ["check", "check_loss"]

TRIES = 5  # new random inputs, where differences straddle a kink


def check(layer, input_shape, seed=0):
    """Check the backprop of a layer, of ours or of your own, or of a whole network.

    Parameters
    ----------
    layer : Layer
        Not touched: a copy in float64 is checked, its parameters moved off their start by random
        amounts.
    input_shape : tuple of int
        With the batch axis, such as (4, 6).
    seed : int
        Of all that is random.

    Returns
    -------
    Report
        ``.passed``, ``.rows``, and a table as its text. The error of a gradient is its largest
        deviation from the differences, divided by its largest entry; as differences are rounded,
        too, as much as that can amount to is taken off the deviation first. Arrays of more than 400
        entries are not visited one by one, but at 8 entries and along 4 random directions.

    Raises
    ------
    TypeError, ValueError
        No Layer, or no shape.
    ShapeError
        The layer itself refuses the shape. Whatever else its code raises is a row of the report.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"{layer!r} given, a Layer object wanted; for a loss there is check_loss")
    if not np.iterable(input_shape) or min(input_shape, default=0) < 1:
        raise ValueError(f"input_shape={input_shape!r} given, such as (4, 6) wanted")
    for attempt in range(TRIES):
        report = Report(f"{layer} on {tuple(input_shape)}")
        rng = np.random.default_rng([seed, attempt])
        try:
            # Thousands of small products: threads would spend their time waiting for each other.
            with threadpool_limits(1, "blas"):
                LayerUnderTest(layer, input_shape, rng, report).check_all()
            break
        except KinkError as kink:
            report.rows.append(no_limit(kink))
    return report


def check_loss(loss, *shapes, seed=0):
    """Check a function that returns its value and its gradients, such as those of ``losses``.

    Parameters
    ----------
    loss : callable, (*arrays) -> (value, *gradients)
    *shapes : tuple of int
        Of the arrays, which are drawn from N(0, 1).
    seed : int

    Returns
    -------
    Report
    """
    for attempt in range(TRIES):
        report = Report(getattr(loss, "__qualname__", repr(loss)))
        rng = np.random.default_rng([seed, attempt])
        arrays = [rng.standard_normal(shape) for shape in shapes]
        before, names = [a.copy() for a in arrays], [f"input {i}" for i in range(len(arrays))]
        _, *gradients = loss(*arrays)
        report.rows.append(same_row("inputs left alone", names, arrays, before))
        single = loss(*(a.astype("float32") for a in arrays))
        wrong = [f"gradient {i} is {g.dtype}" for i, g in enumerate(single[1:]) if g.dtype != "f4"]
        report.rows.append(Row("float32 stays float32", len(wrong), 0, ", ".join(wrong)))
        try:
            for i, (a, gradient) in enumerate(zip(arrays, gradients, strict=True)):
                what, value = f"d/d input {i}", lambda arrays=arrays: loss(*arrays)[0]
                row = gradient_row(what, FIRST, value, a, gradient, rng, np.linalg.norm(gradient))
                report.rows.append(row)
            break
        except KinkError as kink:
            report.rows.append(no_limit(kink))
    return report
