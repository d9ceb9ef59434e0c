"""Gradient checks of plain functions: the exercises of courses, right and wrong."""


import numpy as np
import pytest

from scratchgan.gradcheck import check_function, check_functions

from .exercises import RIGHT, RIGHT_SLOPES, WRONG, WRONG_SLOPES

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
