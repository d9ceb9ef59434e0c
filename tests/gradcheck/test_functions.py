"""Gradient checks of plain functions: the exercises of courses, right and wrong."""

import inspect
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from scratchgan.gradcheck import Report, check_function, check_functions

from .exercises import RIGHT, RIGHT_SLOPES, WRONG, WRONG_SLOPES, affine_backward, affine_forward

X = np.random.default_rng(1).standard_normal((4, 3))


def failed(report):
    return [row.check for row in report.rows if not row.passed]


def name(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("forward", "backward", "inputs"), RIGHT, ids=name)
def test_a_right_exercise_is_not_accused(forward, backward, inputs):
    for seed in range(3):
        report = check_functions(forward, backward, inputs, seed)
        assert report.passed, report
        assert {"inputs left alone", "forward repeats itself"} < {r.check for r in report.rows}


@pytest.mark.parametrize(("forward", "backward", "inputs", "rows", "says"), WRONG, ids=name)
def test_a_wrong_exercise_is_found(forward, backward, inputs, rows, says):
    """And nothing else is accused."""
    for seed in range(3):
        report = check_functions(forward, backward, inputs, seed)
        assert failed(report) == rows
        assert says in str(report)


@pytest.mark.parametrize(("f", "df"), RIGHT_SLOPES, ids=name)
def test_a_right_slope_is_not_accused(f, df):
    for seed in range(3):
        report = check_function(f, df, X, seed)
        assert report.passed, report


@pytest.mark.parametrize(("f", "df", "row", "says"), WRONG_SLOPES, ids=name)
def test_a_wrong_slope_is_found(f, df, row, says):
    for seed in range(3):
        report = check_function(f, df, X, seed)
        assert failed(report) == [row]
        assert says in str(report)


# ---- what may be given -----------------------------------------------------------------------


def double(x):
    return 2 * x, None


def double_back(dout, cache):
    return 2 * dout


@pytest.mark.parametrize(
    "inputs",
    [
        X,
        X.astype("float32"),
        X.astype("float16"),
        [X],
        (X,),
        [X.tolist()],
        [[1.5, 2]],
        [np.array(2.0)],
    ],
    ids=["array", "float32", "float16", "list", "tuple", "nested", "numbers", "0-d"],
)
def test_inputs_of_every_form(inputs):
    assert check_functions(double, double_back, inputs).passed


@pytest.mark.parametrize("x", [X, X.tolist(), [1, 2, 3], np.arange(4), 0.5, 2, X[0, 0]])
def test_x_of_every_form(x):
    assert check_function(np.sin, np.cos, x).passed


def test_nothing_of_the_callers_is_changed():
    def forward(x, y, settings):
        x *= 2
        y += 1
        settings["calls"] += 1
        return x.copy(), None

    x, y, settings = X.copy(), np.arange(3), {"calls": 0}
    assert not check_functions(forward, lambda dout, cache: 2 * dout, (x, y, settings)).passed
    np.testing.assert_array_equal(x, X)
    assert (y.tolist(), settings) == ([0, 1, 2], {"calls": 0})


def test_objects_are_passed_on_as_they_are_and_fresh_each_time():
    given = []

    def forward(x, labels, mask, size, settings, rng):
        given.append((labels.dtype.kind, mask.dtype.kind, size, dict(settings)))
        settings["running"] += 1
        return x * mask[:, None] * rng.random(), rng.random

    def backward(dout, cache):
        raise NotImplementedError

    inputs = X, [0, 2, 1, 1], np.array([True, False, True, True]), (2, 2), {"running": 0}
    report = check_functions(forward, backward, (*inputs, np.random.default_rng(0)))
    assert failed(report) == ["backward runs"]
    assert given == [("i", "b", (2, 2), {"running": 0})] * len(given)


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        (X[:0], ValueError, "x: expected at least one entry, got shape (0, 3)"),
        (np.array([1, np.nan]), ValueError, "x: expected finite numbers, got nan at (1,)"),
        (np.array([[1, np.inf]]), ValueError, "x: expected finite numbers, got inf at (0, 1)"),
        (np.array([1.0, None]), ValueError, "x: expected real numbers, got an array of object"),
        (np.array(["a"]), ValueError, "x: expected real numbers, got an array of <U1"),
        (np.array([1j]), ValueError, "x: expected real numbers, got an array of complex128"),
        ([[[1.0, 2.0], [3.0]]], ValueError, "x: expected an array, got a list with rows of diff"),
        (np.arange(3), ValueError, "expected a float array among them, got ndarray; write x.ast"),
        ([2.0], ValueError, "got float; write x.astype(float), or np.array(0.5) for a number"),
        ({"x": X}, TypeError, "inputs: expected a list of arrays, got <class 'dict'>"),
        (2.0, TypeError, "inputs: expected a list of arrays, got <class 'float'>"),
        ([X, X], ValueError, "double(x): called with 2 inputs: too many positional arguments"),
        ([], ValueError, "double(x): called with 0 inputs: missing a required argument: 'x'"),
    ],
)
def test_unusable_inputs_are_refused(inputs, error, says):
    with pytest.raises(error) as caught:
        check_functions(double, double_back, inputs)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("x", [np.array([]), np.array([np.nan]), [None], "text", {}, [[1, 2], [3]]])
def test_unusable_x_is_refused(x):
    with pytest.raises(ValueError, match="x: expected "):
        check_function(np.sin, np.cos, x)


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: check_functions(None, double_back, X), "forward: expected a function, got None"),
        (lambda: check_functions(double, 3, X), "backward: expected a function, got 3"),
        (lambda: check_function(np.sin, 1.0, X), "df: expected a function, got 1.0"),
        (lambda: check_functions(double, lambda dout: dout, X), "called with (dout, cache): too"),
        (lambda: check_function(lambda x, w: x, np.cos, X), "called with x alone: missing a "),
        (lambda: check_function(np.sin, lambda x, y, z: x, X), "called with x, or (x, dy): miss"),
        (lambda: check_functions(np.sin, np.cos, X), "there is check_function(f, df, x)"),
        (
            lambda: check_functions(lambda x: x, double_back, X),
            "forward: expected (out, cache), got <class 'numpy.ndarray'>; for f(x) -> y without",
        ),
        (
            lambda: check_functions(lambda x: (x, x, x), double_back, X),
            "forward: expected (out, cache), got 3 objects",
        ),
        (
            lambda: check_functions(lambda x: (x.tolist(), x), double_back, X),
            "forward: expected out as an array, got <class 'list'>",
        ),
        (lambda: check_functions(lambda x: (None, x), double_back, X), "got <class 'NoneType'>"),
        (
            lambda: check_function(double, lambda x: x, X),
            "f: expected y as an array, got <class 'tuple'>; for forward(...) -> (out, cache)",
        ),
    ],
)
def test_a_wrong_call_is_refused(check, says):
    with pytest.raises((TypeError, ValueError)) as caught:
        check()
    assert says in str(caught.value)


# ---- what backward may return ----------------------------------------------------------------

INPUTS = X, np.arange(4), np.ones(3), {"a": 1}


def scaled(x, rows, w, settings):
    return x[rows] * w, (x, rows, w)


def gradients(dout, cache):
    x, rows, w = cache
    dx = np.zeros_like(x)
    np.add.at(dx, rows, dout * w)
    return dx, (dout * x[rows]).sum(0)


@pytest.mark.parametrize(
    "form",
    [
        lambda dx, dw: (dx, dw),
        lambda dx, dw: [dx, dw],
        lambda dx, dw: (dx, None, dw, None),
        lambda dx, dw: (dx.tolist(), dw.tolist()),
    ],
)
def test_gradients_of_the_arrays_or_of_all_inputs(form):
    report = check_functions(scaled, lambda dout, cache: form(*gradients(dout, cache)), INPUTS)
    assert report.passed and "not checked" not in str(report)
    assert [row.check for row in report.rows][-3:-1] == ["dx", "dw"]


def test_a_gradient_that_is_none_is_noted():
    report = check_functions(scaled, lambda *pair: (gradients(*pair)[0], None), INPUTS)
    assert report.passed
    assert report.notes == ["no gradient of w (None): it was not checked"]


@pytest.mark.parametrize(
    ("form", "got"),
    [
        (lambda dx, dw: dx, "got 1 (ndarray)"),
        (lambda dx, dw: (dx, dw, dw), "got 3 (ndarray, ndarray, ndarray)"),
        (lambda dx, dw: (dx, dx, dw, None), "got 3 (ndarray, ndarray, ndarray)"),
        (lambda dx, dw: None, "got 1 (NoneType)"),
        (lambda dx, dw: (None, None), "got 2 (NoneType, NoneType)"),
        (lambda dx, dw: (), "got 0 ()"),
        (lambda dx, dw: {"dx": dx, "dw": dw}, "got 1 (dict)"),
    ],
)
def test_too_many_or_too_few_gradients_are_a_row(form, got):
    report = check_functions(scaled, lambda *pair: form(*gradients(*pair)), INPUTS)
    assert failed(report) == ["backward returns one gradient an input"]
    assert f"expected 2 (dx, dw), {got}" in str(report)


@pytest.mark.parametrize("wrong", ["text", object(), [[1.0], [1.0, 2.0]], 1j * X])
def test_a_gradient_that_is_no_array_is_a_row(wrong):
    report = check_functions(double, lambda dout, cache: (wrong,), X)
    assert failed(report) == ["dx is an array"]


@pytest.mark.parametrize(
    ("f", "df", "row", "says"),
    [
        (np.sin, lambda x: 1.0, "df(x) has the shape of x", "expected (4, 3), got ()"),
        (np.sin, lambda x: np.cos(x)[0], "df(x) has the shape of x", "expected (4, 3), got (3,)"),
        (
            lambda x: x @ np.ones((3, 2)),
            lambda x: x,
            "y has the shape of x",
            "write df(x, dy) -> dx",
        ),
        (lambda x: x.sum(0), lambda x, dy: dy, "dx", "expected shape (4, 3), got (3,)"),
    ],
)
def test_a_slope_of_another_shape_is_a_row(f, df, row, says):
    report = check_function(f, df, X)
    assert row in failed(report) and says in str(report)


def test_y_may_have_another_shape_where_df_takes_dy():
    w = np.arange(6.0).reshape(3, 2)
    assert check_function(lambda x: x @ w, lambda x, dy: dy @ w.T, X).passed


def test_the_number_of_parameters_without_defaults_decides():
    def slope(x, sharpness=1.0):
        return sharpness * np.cos(x)

    class Slope:
        def __call__(self, x, dy):
            return np.cos(x) * dy

    for df in (slope, Slope(), np.vectorize(math.cos), lambda *args: np.cos(*args)):
        assert check_function(np.sin, df, X).passed


# ---- rows ------------------------------------------------------------------------------------


def test_a_loss_gets_dout_1():
    seen = []

    def backward(dout, x):
        seen.append(dout)
        return 2 * x * dout

    for loss in (lambda x: ((x**2).sum(), x), lambda x: (float((x**2).sum()), x)):
        assert check_functions(loss, backward, X).passed
    assert set(seen) == {1.0}


def test_random_numbers_inside_end_the_check():
    def forward(x):
        mask = np.random.default_rng().random(x.shape) < 0.5
        return x * mask, mask

    report = check_functions(forward, lambda dout, mask: dout * mask, X)
    assert report.rows[-1].check == "forward repeats itself"
    assert failed(report) == ["forward repeats itself"]
    assert "seed the random numbers inside, or pass the mask as an input" in str(report)


def add_in_place(array):
    array += 1
    return array


@pytest.mark.parametrize(
    ("forward", "backward", "array", "function"),
    [
        (lambda x, n: (2 * add_in_place(x), None), double_back, "x", "forward"),
        (lambda x, n: (2 * x + 0 * add_in_place(n)[0], None), double_back, "n", "forward"),
        (lambda x, n: (2 * x, x), lambda dout, x: 2 * dout + 0 * add_in_place(x), "x", "backward"),
        (
            lambda x, n: (2 * x, None),
            lambda dout, _: 2 * add_in_place(dout) - 2,
            "dout",
            "backward",
        ),
    ],
)
def test_a_mistake_in_place_is_one_accusation(forward, backward, array, function):
    report = check_functions(forward, backward, (X, np.arange(3)))
    assert failed(report) == ["inputs left alone"]
    assert f"worst in {array} at (0" in str(report)
    assert f"hint: {function} writes into it: compute in a new array" in str(report)


def test_f_or_df_that_writes_into_x_is_one_accusation():
    for f, df in [
        (lambda x: np.multiply(x, x, out=x), lambda x: 2 * x),
        (lambda x: x * x, lambda x: np.multiply(x, 2, out=x)),
    ]:
        assert failed(check_function(f, df, X)) == ["inputs left alone"]


@pytest.mark.parametrize("spoil", [lambda cache: cache.pop(), lambda cache: add_in_place(cache[0])])
def test_a_cache_that_is_used_up(spoil):
    def backward(dout, cache):
        dx = cache[0] * dout
        spoil(cache)
        return dx

    report = check_functions(lambda x: (x**2 / 2, [x.copy()]), backward, X)
    assert len(failed(report)) == 1
    assert failed(report)[0] in ("a cache can be used twice", "backward runs")


@pytest.mark.parametrize(("x", "place"), [([-1, 0.0, 2], "(1,)"), ([[3.0, 1], [0, 2]], "(1, 0)")])
def test_an_input_on_a_kink_is_moved_and_named(x, place):
    f = lambda x: np.maximum(x, 0)  # noqa: E731
    for at_zero in (0, 0.5, 1):
        report = check_function(f, lambda x, at=at_zero: np.heaviside(x, at), x)
        assert report.passed
        (note,) = report.notes
        assert note.startswith(f"x at {place} lies on a kink")
    assert failed(check_function(f, lambda x: (x < 0) * 1.0, x)) == ["dx"]


def test_ties_of_a_maximum_are_a_kink():
    def forward(x):
        return x.max(1), x

    def backward(dout, x):
        return dout[:, None] * (x == x.max(1, keepdims=True))

    report = check_functions(forward, backward, np.ones((2, 3)))
    assert report.passed and "lies on a kink" in report.notes[0]


def test_what_is_nowhere_smooth_fails():
    report = check_function(lambda x: 1e-3 * np.sin(1e9 * x), np.ones_like, X)
    assert not report.passed


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e3, 1e9])
def test_inputs_of_every_size(size):
    right, wrong = (lambda x: 3 * (x / size) ** 2 / size), (lambda x: 3 * (x / size) / size)
    assert check_function(lambda x: (x / size) ** 3, right, size * X).passed
    assert "dx" in failed(check_function(lambda x: (x / size) ** 3, wrong, size * X))


def test_large_arrays_are_checked_along_directions():
    x = np.random.default_rng(0).standard_normal((30, 40))

    def wrong_in_one_row(dout, x):
        dx = 2 * x * dout
        dx[7] *= 1.01
        return dx

    assert check_functions(lambda x: (x * x, x), lambda dout, x: 2 * x * dout, x).passed
    assert failed(check_functions(lambda x: (x * x, x), wrong_in_one_row, x)) == ["dx"]


HONEST = [
    *(np.exp, np.sinh, np.cosh, np.tan, np.arctan, np.exp2, np.square, np.cbrt),
    *(lambda x: x * np.exp(-x), lambda x: 1 / np.cosh(x), lambda x: np.exp(-(x**2))),
    *(lambda x: np.sqrt(x - 1), lambda x: np.where(x > 0, x, np.exp(x) - 1), lambda x: x**20),
]


@pytest.mark.parametrize("f", HONEST)
def test_an_honest_overflow_is_not_accused(f):
    def df(x):  # its row does not matter here
        return np.ones_like(x)

    with np.errstate(all="ignore"):
        rows = check_function(f, df, 10 + X).rows
    assert [row.passed for row in rows if row.check == "finite at large inputs"] == [True]


def test_large_inputs_that_f_refuses_are_not_accused():
    def f(x):
        assert (abs(x) < 50).all()
        return x**2

    report = check_function(f, lambda x: 2 * x, X)
    assert report.passed and "large" not in str(report)


def test_what_is_not_finite_is_a_row():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        report = check_function(np.log, lambda x: 1 / x, [1.0, -1.0])
    assert failed(report) == ["y is finite"]
    assert "y at (1,) is nan" in str(report)


def test_a_result_cast_to_float32_is_a_row():
    report = check_function(lambda x: np.sin(x).astype("float32"), np.cos, X)
    assert failed(report) == ["float64 stays float64"]


def test_float64_from_float32_is_a_note_and_no_failure():
    ones = np.ones(3)
    report = check_functions(lambda x: (x * ones, None), lambda dout, cache: dout * 1, X)
    assert report.passed
    assert report.notes == ["float32 inputs give float64 in out: no mistake, but slower"]
    assert not check_functions(affine_forward, affine_backward, (X, X.T, X[:, 0])).notes


def conditional(x):
    return x if x > 0 else 0 * x


@pytest.mark.parametrize(
    ("f", "error", "hint"),
    [
        (conditional, "ValueError: The truth value", "hint: x is an array: write np.where"),
        (math.tanh, "TypeError: only ", "hint: x is an array: write np.where"),
        (lambda x: x[:, 9], "IndexError: index 9 is out of bounds", ""),
    ],
)
def test_an_error_in_the_users_code_is_a_row(f, error, hint):
    report = check_function(f, lambda x: x, X)
    assert failed(report) == ["f runs"]
    assert error in str(report) and hint in str(report)
    if f is not math.tanh:
        _, line = inspect.getsourcelines(f)
        assert f"{Path(__file__)}:{line + (f is conditional)}: " in str(report)


def test_an_error_in_backward_is_a_row_with_its_line():
    def backward(dout, cache):
        return dout @ np.ones((7, 7))

    report = check_functions(double, backward, X)
    assert failed(report) == ["backward runs"]
    assert "return dout @ np.ones((7, 7))" in str(report)


# ---- reports ---------------------------------------------------------------------------------


def test_the_seed_decides():
    errors = [
        [
            row.error
            for row in check_functions(affine_forward, affine_backward, (X, X.T, X[:, 0]), s).rows
        ]
        for s in (1, 1, 2)
    ]
    assert errors[0] == errors[1] != errors[2]


def test_the_table_names_functions_and_inputs():
    report = check_functions(affine_forward, affine_backward, (X, X.T, X[:, 0]))
    first = "gradcheck affine_forward, affine_backward on x (4, 3), w (3, 4), b (4,)"
    assert str(report).splitlines()[0] == first
    assert "d(input 1)" not in str(report)
    report = check_functions(
        lambda *arrays: (arrays[0] * arrays[1], arrays), gradients_of_product, (X, X)
    )
    assert report.passed and "on input 0 (4, 3), input 1 (4, 3)" in str(report)


def gradients_of_product(dout, arrays):
    return dout * arrays[1], dout * arrays[0]


def test_a_notebook_shows_the_table():
    report = check_function(lambda x: x, lambda x: -np.ones_like(x), X)
    assert repr(report) == str(report)
    page = report._repr_html_()
    assert page.startswith("<pre>") and page.endswith("</pre>")
    assert "&lt;lambda&gt;" in page and "<lambda>" not in page
    assert len(page.splitlines()) == len(str(report).splitlines())
    assert repr(Report("nothing")) == str(Report("nothing"))
