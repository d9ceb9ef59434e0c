"""Is this layer's backprop right? Every promise of ``layers/base.py``, put to the test.

All in float64, with random inputs, parameters and upstream gradients: at ones or at initial values
many a mistake cancels (the sum over a BatchNorm's output does not depend on its input at all).

    first order     S = <f(x), dy>:      dS/dx and dS/dθ from `backward` against differences of S
    adjoint         <apply(x), dy> = <x, adjoint(dy)> = <w, weight_grad(x, dy)>, to the last digits
    tangent         <J t, dy> = <t, J^T dy>: `double_backward` against `backward`
    second order    B = <t, J^T dy>:     dB/dx and dB/dθ against differences of B
    contract         nothing is overwritten, gradients add up, two batches can be in flight
"""

import contextlib
import copy

import numpy as np

from ..layers.base import LinearMap, ShapeError
from .checks import (
    FIRST,
    SECOND,
    KinkError,
    gradient_row,
    inner_row,
    norms,
    same_row,
    shape_row,
)  # fmt: skip
from .hints import broken_row, unlearned
from .report import Row

__all__ = ["LayerUnderTest"]

FEW = 400  # arrays up to this size, in layers of up to ten times this, are checked in every entry


class LayerUnderTest:
    """A layer in float64 at a random place, with an input, an upstream gradient, a tangent."""

    def __init__(self, layer, input_shape, rng, report):
        self.rng, self.report, self.layer = rng, report, copy_as(layer, "float64")
        for param in self.layer.params().values():
            inputs = max(np.prod(param.shape[:-1]), 1)
            param.value += 0.3 * rng.standard_normal(param.shape) / np.sqrt(inputs)
        self.x, self.t = rng.standard_normal((2, *input_shape))
        self.generators = list(self.layer.rngs().values())
        self.random_states = [g.bit_generator.state for g in self.generators]
        self.train, self.y = True, None
        report.notes += unlearned(self.layer)

    def forward(self, x, layer=None):
        """Forward with the same random numbers every time."""
        for generator, state in zip(self.generators, self.random_states, strict=True):
            generator.bit_generator.state = state
        self.stage = "forward"
        result = (layer or self.layer).forward(x, self.train)
        pair = isinstance(result, tuple) and len(result) == 2
        if not (pair and isinstance(result[0], np.ndarray)):
            given = f"y of {type(result[0])}" if pair else type(result)
            raise ShapeError(
                f"{self.layer}.forward returned {given}, (y, cache) wanted, y an array"
            )
        self.stage = "backward"  # which all that follows is about, unless it says otherwise
        return result

    def grads(self):
        """Copies of all parameters' gradients."""
        return [p.grad.copy() for p in self.layer.params().values()]

    def backward(self, cache):
        """[dx, dθ...] of `backward`, from gradients that were zero."""
        self.layer.zero_grad()
        dx = self.layer.backward(self.dy, cache)
        return [copy.copy(dx), *self.grads()]

    def tangent(self, cache):
        """J t and dB/dx of `double_backward`; gradients are added to those there are."""
        jt, bend = self.layer.double_backward(self.t, self.dy, cache)
        return jt, np.zeros_like(self.x) if bend is None else bend

    def same(self, what, names, arrays, wanted):
        """Add a row: arrays that should be equal up to the order of summation."""
        self.report.rows.append(same_row(what, names, arrays, wanted))

    def check_all(self):
        """Add all rows; an error in the layer's code is one, too.

        But for a ShapeError at once: it says all there is to say, and mostly of the input shape.
        """
        try:
            self.y = self.forward(self.x.copy())[0]
            self.dy = self.rng.standard_normal(self.y.shape)
            if not self.contract(""):
                return
            self.first_order("d{}")
            self.adjoint()
            self.second_order("")
            in_training, self.train = self.y, False
            self.y = self.forward(self.x.copy())[0]
            mode = " (evaluation)"
            if self.contract(mode) and not np.array_equal(self.y, in_training):
                self.first_order("d{}" + mode)
                self.second_order(mode)
        except KinkError:
            raise
        except Exception as error:
            first = self.y is None
            if first and isinstance(error, ShapeError):
                raise
            shape = self.x.shape if first else None
            self.report.rows.append(broken_row(self.stage, error, self.layer, shape))

    def contract(self, mode):
        """What a correct gradient alone does not promise. Returns whether to go on."""
        layer, x, dy = self.layer, self.x, self.dy
        params = layer.params()
        given = [x, dy, *(p.value for p in params.values())]
        before = [a.copy() for a in given]
        y, cache = self.forward(x)
        right = self.backward(cache)
        self.same("x, dy and weights left alone" + mode, ["x", "dy", *params], given, before)
        for array, start in zip(given, before, strict=True):
            array[...] = start
        if misshapen := shape_row("dx has the shape of x" + mode, "dx", right[0], x):
            self.report.rows.append(misshapen)
            return False
        for key, param in params.items():
            if not np.may_share_memory(param.grad, layer.grad):
                detail = f"hint: {key}.grad was bound to another array: write += into it"
                self.report.rows.append(Row("gradients stay views" + mode, np.inf, 0, detail))
                return False
        again = self.forward(x)[0]
        self.same("forward repeats itself" + mode, ["y", "y"], [y, again], [self.y, self.y])
        if not self.report.rows[-1].passed:
            return False

        names = ["dx", *(f"d{key}" for key in params)]
        _, cache = self.forward(x)
        self.backward(cache)
        self.same("a cache can be used twice" + mode, names, self.backward(cache), right)

        _, cache = self.forward(x)
        _, other = self.forward(self.rng.standard_normal(x.shape))
        layer.backward(self.rng.standard_normal(dy.shape), other)
        self.same("two batches in flight" + mode, names, self.backward(cache), right)

        _, cache = self.forward(x)
        flat = self.rng.standard_normal(layer.size)
        layer.grad[...] = flat
        start = self.grads()
        dx = layer.backward(dy, cache, into_params=False)
        self.same("into_params=False" + mode, names, [dx, *self.grads()], [right[0], *start])
        if params:
            layer.grad[...] = flat
            layer.backward(dy, cache)
            total = [grad + g for grad, g in zip(start, right[1:], strict=True)]
            found = self.grads()
            self.same("gradients add up" + mode, names[1:], found, total)
            layer.grad[...] = flat
            layer.backward(dy, cache, into_params="only")
            self.same('into_params="only"' + mode, names[1:], self.grads(), found)
        self.dtypes(mode)
        return True

    def dtypes(self, mode):
        """Add a row: what is float32 at the start is float32 at the end."""
        single = copy_as(self.layer, "float32")
        x, dy = self.x.astype("float32"), self.dy.astype("float32")
        y, cache = self.forward(x, single)
        found = {"y": y, "dx": single.backward(dy, cache)}
        found |= {f"d{key}": p.grad for key, p in single.params().items()}
        with contextlib.suppress(NotImplementedError):
            self.stage = "double_backward"
            jt, bend = single.double_backward(x, dy, cache)
            found |= {"J t": jt, "dB/dx": y if bend is None else bend}
        dtypes = {name: getattr(a, "dtype", type(a)) for name, a in found.items()}
        wrong = [f"{name} is {dtype}" for name, dtype in dtypes.items() if dtype != np.float32]
        row = Row("float32 stays float32" + mode, len(wrong), 0, ", ".join(wrong))
        self.report.rows.append(row)

    def first_order(self, name):
        """dS/dx and dS/dθ for S = <f(x), dy>."""

        def S():  # noqa: N802
            return (self.forward(self.x)[0] * self.dy).sum()

        y, cache = self.forward(self.x)
        self.gradients(name, FIRST, S, self.backward(cache), size=norms(y, self.dy))

    def adjoint(self):
        """The identity of every linear map, here for the layer itself."""
        layer, x, dy = self.layer, self.x, self.dy
        if not isinstance(layer, LinearMap):
            return
        pairing = (layer.apply(x), dy)
        other = (x * layer.adjoint(dy, x.shape)).sum()
        self.report.rows.append(inner_row("<apply(x), dy> = <x, adjoint(dy)>", pairing, other))
        if layer.w is not None:
            other, what = (
                (layer.w.value * layer.weight_grad(x, dy)).sum(),
                "<w, weight_grad(x, dy)>",
            )
            self.report.rows.append(inner_row(f"<apply(x), dy> = {what}", pairing, other))

    def second_order(self, mode):
        """dB/dx and dB/dθ for B = <J t, dy> = <t, J^T dy>, which needs only `backward`."""

        def B():  # noqa: N802
            _, cache = self.forward(self.x)
            return (self.layer.backward(self.dy, cache, into_params=False) * self.t).sum()

        params = self.layer.params()
        given = [self.x, self.t, self.dy, *(p.value for p in params.values())]
        before = [a.copy() for a in given]
        _, cache = self.forward(self.x)
        self.layer.zero_grad()
        self.stage = "double_backward"
        try:
            jt, bend = self.tangent(cache)
        except NotImplementedError:
            note = "no double_backward: the second order was not checked"
            self.report.notes += [note] if not mode else []
            return
        for name, found, like in ("J t", jt, self.dy), ("dB/dx", bend, self.x):
            if misshapen := shape_row(f"shape of {name}{mode}", name, found, like):
                self.report.rows.append(misshapen)
                return
        jt, claimed = jt.copy(), [bend.copy(), *self.grads()]
        names = ["x", "t", "dy", *params]
        self.same("double_backward leaves inputs alone" + mode, names, given, before)
        twice = [*self.tangent(cache), *self.grads()]
        wanted = [jt, claimed[0], *(2 * g for g in claimed[1:])]
        names = ["J t", "dB/dx", *(f"dB/d{key}" for key in params)]
        self.same("double_backward twice adds twice" + mode, names, twice, wanted)
        self.report.rows.append(inner_row("<J t, dy> = <t, J^T dy>" + mode, (jt, self.dy), B()))
        self.gradients("second order d{}" + mode, SECOND, B, claimed, norms(jt, self.dy))

    def gradients(self, name, tolerance, function, claimed, size):
        """Add a row for x and one for each parameter."""
        params = self.layer.params()
        arrays = [self.x, *(p.value for p in params.values())]
        for key, array, gradient in zip(["x", *params], arrays, claimed, strict=True):
            every = max(array.size, self.layer.size // 10) <= FEW
            what = name.format(key)
            row = gradient_row(what, tolerance, function, array, gradient, self.rng, size, every)
            self.report.rows.append(row)


def copy_as(layer, dtype):
    """A copy with the values of ``layer``, if it has any, in another dtype."""
    state = None if layer.theta is None else layer.state_dict()
    twin = copy.deepcopy(layer).initialize(0, dtype=dtype)
    if state is not None:
        twin.load_state_dict(state)
    return twin
