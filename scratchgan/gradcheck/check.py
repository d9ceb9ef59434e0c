"""The two public checks: of a layer, and of a loss."""

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from ..layers.base import Layer
from .layer import LayerUnderTest
from .report import FIRST, KinkError, Report, Row, gradient_row, same_row

TRIES = 5  # random inputs to try, while the differences step over a kink
NO_LIMIT = "differences do not settle: not differentiable here, or not the same at every call"


def check(layer: Layer, input_shape: tuple[int, ...], seed: int = 0) -> Report:
    """Check the backprop of one layer, the library's or your own, or of a whole network.

    Parameters
    ----------
    layer : Layer
        It is not changed. The check takes a copy in float64 and adds random amounts to the
        parameters of the copy.
    input_shape : tuple of int
        With the batch axis, such as (4, 6).
    seed : int
        Seed of all random numbers: inputs, parameters, directions.

    Returns
    -------
    Report
        ``.passed``, ``.rows``, and a table as its text. The error of a gradient is its largest
        deviation from the differences, divided by its largest entry. The differences have rounding
        errors, too: their possible size is subtracted from the deviation. Arrays of more than 400
        entries are not checked entry by entry, but at 8 entries and along 4 random directions.

    Raises
    ------
    TypeError
        ``layer`` is no Layer object.
    ValueError
        ``input_shape`` is no shape.
    ShapeError
        The layer itself refuses the shape. Any other error in its code becomes a row of the report.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"check: expected a Layer object, got {layer!r}; check_loss takes a loss")
    if not np.iterable(input_shape) or min(input_shape, default=0) < 1:
        raise ValueError(f"check: expected an input_shape such as (4, 6), got {input_shape!r}")

    def run(report, rng):
        LayerUnderTest(layer, input_shape, rng, report).check_all()

    return _first_smooth(f"{layer} on {tuple(input_shape)}", seed, run)


def check_loss(loss: Callable[..., tuple], *shapes: tuple[int, ...], seed: int = 0) -> Report:
    """Check a function that returns its value and its gradients, as those of ``losses`` do.

    Parameters
    ----------
    loss : callable, (*arrays) -> (value, *gradients)
    *shapes : tuple of int
        One shape for each array. The arrays are drawn from N(0, 1).
    seed : int
        Seed of the arrays.

    Returns
    -------
    Report
    """

    def run(report, rng):
        arrays = [rng.standard_normal(shape) for shape in shapes]
        before, names = [a.copy() for a in arrays], [f"input {i}" for i in range(len(arrays))]
        _, *gradients = loss(*arrays)
        report.rows.append(same_row("inputs left alone", names, arrays, before))
        single = loss(*(a.astype("float32") for a in arrays))
        wrong = [f"gradient {i} is {g.dtype}" for i, g in enumerate(single[1:]) if g.dtype != "f4"]
        report.rows.append(Row("float32 stays float32", len(wrong), 0, ", ".join(wrong)))
        for name, a, gradient in zip(names, arrays, gradients, strict=True):
            args = lambda: loss(*arrays)[0], a, gradient, rng, np.linalg.norm(gradient)
            report.rows.append(gradient_row(f"d/d {name}", FIRST, *args))

    return _first_smooth(getattr(loss, "__qualname__", repr(loss)), seed, run)


def _first_smooth(subject, seed, run):
    """Return the report that ``run(report, rng)`` fills, at the first random input without a kink.

    If every input has one, the last report ends with a row that says so.
    """
    for attempt in range(TRIES):
        report = Report(subject)
        try:
            # Thousands of small products: threads would spend their time waiting for each other.
            with threadpool_limits(1, "blas"):
                run(report, np.random.default_rng([seed, attempt]))
            break
        except KinkError as kink:
            report.rows.append(Row(str(kink), np.inf, FIRST, NO_LIMIT))
    return report
