"""Everything in the catalogue is right, and everything that is public is in the catalogue."""

import inspect

import pytest

from scratchgan import layers
from scratchgan.catalogue import Labelled, layer_cases, loss_cases, network_cases, penalty_cases
from scratchgan.gradcheck import ADJOINT, FIRST, SECOND, check, check_loss
from scratchgan.layers import Elementwise, Layer, LinearMap

LAYERS = [(repr(layer), layer, shape) for layer, shape in layer_cases()]
SUBJECTS = LAYERS + network_cases()
FUNCTIONS = loss_cases() + penalty_cases()
_CHECKED = {}


def checked(layer, shape):
    """The report; each subject is checked once."""
    if id(layer) not in _CHECKED:
        _CHECKED[id(layer)] = check(layer, shape)
    return _CHECKED[id(layer)]


def each(cases):
    names = [f"{i}-{name[:50]}" for i, (name, *_) in enumerate(cases)]
    return pytest.mark.parametrize(("name", "subject", "shape"), cases, ids=names)


def worst(report, *beginnings):
    """The largest error of the rows whose name begins so; there must be some."""
    errors = [row.error for row in report.rows if row.check.startswith(beginnings)]
    assert errors, f"{beginnings}: no such rows in {report}"
    return max(errors)


def test_the_bars():
    assert (FIRST, ADJOINT, SECOND) == (1e-7, 1e-12, 1e-6)


@each(SUBJECTS)
def test_backprop_is_right(name, subject, shape):
    report = checked(subject, shape)
    assert report.passed, str(report)
    assert report.notes == []  # nothing was left out
    assert worst(report, "d") <= 1e-7
    assert worst(report, "<") <= 1e-12
    assert worst(report, "second order") <= 1e-6
    keys = subject.params()
    rows = {row.check for row in report.rows}
    assert {"dx", *(f"d{key}" for key in keys)} <= rows
    assert {"second order dx", *(f"second order d{key}" for key in keys)} <= rows
    assert {"two batches in flight", "a cache can be used twice", "float32 stays float32"} <= rows
    if keys:
        assert {"gradients add up", "into_params=False"} <= rows
    assert ('into_params="only"' in rows) is bool(keys)


@each(FUNCTIONS)
def test_losses_and_penalties_are_right(name, subject, shape):
    report = check_loss(subject, *shape)
    assert report.passed, str(report)
    assert worst(report, "d/d input") <= 1e-7


def test_every_public_layer_is_in_the_catalogue():
    public = {
        kind
        for kind in (getattr(layers, name) for name in layers.__all__)
        if inspect.isclass(kind) and issubclass(kind, Layer)
    }
    seen = set()
    for layer, _ in layer_cases():  # Labelled is there for what is in it
        inside = layer.sublayers().values() if isinstance(layer, Labelled) else [layer]
        seen |= {type(part) for part in inside}
    assert public - seen == {Layer, LinearMap, Elementwise}


@each([case for case in LAYERS if isinstance(case[1], LinearMap)])
def test_linear_layers_satisfy_the_adjoint_identity(name, subject, shape):
    report = checked(subject, shape)
    assert worst(report, "<apply(x), dy> = <x, adjoint(dy)>") <= 1e-12
    if subject.w is not None:
        assert worst(report, "<apply(x), dy> = <w, weight_grad(x, dy)>") <= 1e-12
