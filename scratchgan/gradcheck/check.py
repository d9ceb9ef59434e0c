"""The two public checks: of a layer, and of a loss."""

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from ..layers.base import Layer
from .hints import explain
from .layer import LayerUnderTest
from .report import FEW, FIRST, KinkError, Report, Row, gradient_row, same_row
from .single import LARGE, large_row

UNTOUCHED = "inputs left alone"
TRIES = 5  # random inputs to try, while the differences step over a kink
NO_LIMIT = (
    "cannot tell: differences do not settle. The function is not differentiable here, is not the\n"
    "same at every call, or rounds away what changes: try smaller constants inside"
)


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
        ``.passed``, ``.rows``, and a table as its text. The error of a gradient is the largest
        deviation of an entry from the differences, relative to this entry or, for entries that
        the differences cannot measure so finely, to a larger one: see `report.gradient_row`. Arrays
        of more than 400 entries are not checked entry by entry, but at 8 entries and along 4 random
        directions.

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
        cure = "functions go to check_function, check_functions or check_loss"
        raise TypeError(f"check: expected a Layer object, got {layer!r}; {cure}")
    if not np.iterable(input_shape) or min(input_shape, default=0) < 1:
        raise ValueError(f"check: expected an input_shape such as (4, 6), got {input_shape!r}")

    def run(report, rng):
        LayerUnderTest(layer, input_shape, rng, report).check_all()

    return _first_smooth(f"{layer} on {tuple(input_shape)}", seed, run)


def check_loss(
    loss: Callable[..., tuple],
    *shapes: tuple[int, ...],
    seed: int = 0,
    between: tuple[float, float] | None = None,
) -> Report:
    """Check a function that returns its value and its gradients, as those of ``losses`` do.

    Parameters
    ----------
    loss : callable, (*arrays) -> (value, *gradients)
    *shapes : tuple of int
        One shape for each array.
    seed : int
        Seed of the arrays.
    between : (float, float), optional
        The range from which the arrays are drawn, which is never left: ``between=(0, 1)`` for a
        loss that takes probabilities. Without it, they are drawn from N(0, 1).

    Returns
    -------
    Report
        See `check`.

    Raises
    ------
    ValueError
        ``between`` is no range.
    """
    low, high = between or (-2.0, 2.0)
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"check_loss: expected between=(low, high), low < high, got {between}")
    half = (high - low) / 2

    def draw(rng, shape):
        if between is None:
            return rng.standard_normal(shape)
        return low + half * (1 + 0.9 * rng.uniform(-1, 1, shape))  # differences need the rest

    def run(report, rng):
        arrays = [draw(rng, shape) for shape in shapes]
        before, names = [a.copy() for a in arrays], [f"input {i}" for i in range(len(arrays))]
        try:
            _, *gradients = loss(*arrays)
        except Exception as error:
            report.add(Row("loss runs", np.inf, 0, explain(error, Layer())))
            return
        report.add(same_row(UNTOUCHED, names, arrays, before))
        for a, start in zip(arrays, before, strict=True):
            a[...] = start
        single = loss(*(a.astype("float32") for a in arrays))
        wrong = [f"gradient {i} is {g.dtype}" for i, g in enumerate(single[1:]) if g.dtype != "f4"]
        report.add(Row("float32 stays float32", len(wrong), 0, ", ".join(wrong)))
        for name, a, gradient in zip(names, arrays, gradients, strict=True):
            value = lambda: loss(*(array.copy() for array in arrays))[0]  # noqa: E731
            unit = between and min(half, 1.0)
            args = value, a, gradient, rng, 1.0, a.size <= FEW, unit
            report.add(gradient_row(f"d/d {name}", FIRST, *args), [UNTOUCHED])

        def results(dtype, *inputs):
            value, *gradients = loss(*(a.astype(dtype) for a in inputs))
            return {"value": value, **{f"gradient {i}": g for i, g in enumerate(gradients)}}

        if between is None:
            report.rows += large_row(results, arrays, LARGE)

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
