"""The layer under test: checks of every promise in ``layers/base.py``.

All checks run in float64, with random inputs, parameters and upstream gradients. With ones or
initial values, many mistakes cancel (the sum over a BatchNorm's output does not depend on its input
at all).

    contract        nothing is overwritten, gradients add up, two batches can be in flight
    first order     S = <f(x), dy>:      dS/dx and dS/dθ from `backward` against differences of S
    adjoint         <apply(x), dy> = <x, adjoint(dy)> = <w, weight_grad(x, dy)>, to the last digits
    tangent         <J t, dy> = <t, J^T dy>: `double_backward` against `backward`
    second order    B = <t, J^T dy>:     dB/dx and dB/dθ against differences of B
    float32         see ``single.py``

All of it is done in both modes, training and evaluation. Where evaluation computes the same numbers
as training to the bit, its differences are not taken again, and there is no second row.
"""

import copy
from dataclasses import replace

import numpy as np

from ..layers.base import LinearMap, ShapeError, only_params
from .hints import explain, unlearned
from .report import FEW, FIRST, SECOND, KinkError, Row, gradient_row, inner_row, same_row, shape_row
from .single import copy_as, finite, same_dtype

UNTOUCHED = "x, dy and weights left alone"


class LayerUnderTest:
    """A copy of a layer in float64, with random parameters, and all that its checks need.

    Letters: x input, t tangent, y output in the mode that is checked, dy upstream gradient. The
    ``mode`` is the end of the rows' names: "" in training, " (evaluation)" in evaluation. Every
    call of the layer gets copies of x, t and dy, so that one that writes into them spoils nothing
    else; ``handed`` holds the copies of the last call.
    """

    def __init__(self, layer, input_shape, rng, report):
        self.rng, self.report, self.layer = rng, report, copy_as(layer, "float64")
        self.params = self.layer.params()
        self.inputs = ["t", "dy", "x", *self.params]  # the names of `arrays`
        for param in self.params.values():
            inputs = max(np.prod(param.shape[:-1]), 1)
            param.value += 0.3 * rng.standard_normal(param.shape) / np.sqrt(inputs)
        self.x, self.t = rng.standard_normal((2, *input_shape))
        self.random_states = [(g, g.bit_generator.state) for g in self.layer.rngs().values()]
        self.mode, self.y, self.handed = "", None, {}
        self.known = {}  # the gradients checked in training
        report.notes += unlearned(self.layer)

    def check_all(self):
        """Add all rows to the report. An error in the layer's code becomes a row, too.

        A ShapeError of the first forward is raised: most likely the input shape is wrong.
        """
        try:
            for self.mode in "", " (evaluation)":
                in_training, self.y = self.y, self.forward(self.x)[0]
                if in_training is None:
                    self.dy = self.rng.standard_normal(self.y.shape)
                elif not np.array_equal(self.y, in_training):
                    self.known = {}
                if not self.contract():
                    return
                self.first_order()
                self.adjoint()
                self.second_order()
        except Exception as error:
            shape = self.x.shape if self.y is None else None
            if isinstance(error, KinkError) or (shape and isinstance(error, ShapeError)):
                raise
            self.add(Row(f"{self.stage} runs", np.inf, 0, explain(error, self.layer, shape)))

    # ---- one call of the layer ---------------------------------------------------------------

    def forward(self, x):
        """Return y and the cache, computed with the same random numbers every time."""
        for rng, state in self.random_states:
            rng.bit_generator.state = state
        self.stage, self.handed["x"] = "forward", x.copy()
        result = self.layer.forward(self.handed["x"], not self.mode)
        pair = isinstance(result, tuple) and len(result) == 2
        if not (pair and isinstance(result[0], np.ndarray)):
            got = f"y of {type(result[0])}" if pair else type(result)
            raise ShapeError(f"{self.layer}.forward: expected (y, cache), y an array, got {got}")
        self.stage = "backward"  # the stage of all that follows, unless it says otherwise
        return result

    def backward(self, cache, start=0.0, **switch):
        """Set all gradients to ``start``, run the layer's backward, return [dx, dθ...]."""
        self.layer.grad[...] = start
        self.handed["dy"] = self.dy.copy()
        dx = self.layer.backward(self.handed["dy"], cache, **switch)
        return copy.deepcopy([dx, *self.grads()])

    def tangent(self, cache):
        """Run the layer's double_backward, which adds to the gradients: [J t, dB/dx, dB/dθ...]."""
        self.handed |= {"t": self.t.copy(), "dy": self.dy.copy()}
        jt, bend = self.layer.double_backward(self.handed["t"], self.handed["dy"], cache)
        return copy.deepcopy([jt, np.zeros_like(self.x) if bend is None else bend, *self.grads()])

    def grads(self):
        """Return the gradients of all parameters."""
        return [p.grad for p in self.params.values()]

    def arrays(self):
        """Return all arrays that the layer reads: t, dy, x and the values of its parameters."""
        return [self.t, self.dy, self.x, *(p.value for p in self.params.values())]

    # ---- rows --------------------------------------------------------------------------------

    def add(self, row):
        """Add a row to the report; return whether it passed.

        It may follow from the same mistake in training, from an array that was overwritten, or, if
        it is about the second order, from a gradient of the first.
        """
        causes = [UNTOUCHED, UNTOUCHED + self.mode]
        causes += [row.check.removesuffix(self.mode)] if self.mode else []
        if row.check.startswith(("second order", "<J t")):
            causes += [f"d{key}{self.mode}" for key in ("x", *self.params)]
        return self.report.add(row, causes)

    def untouched(self, what, before):
        """Add a row: the layer has not written into what it was handed, nor into its weights."""
        now = dict(zip(self.inputs, self.arrays(), strict=True)) | self.handed
        self.same(what, self.inputs, list(now.values()), before)

    def same(self, what, names, arrays, expected):
        """Add a row: these arrays should be equal up to the order of summation."""
        return self.add(same_row(what + self.mode, names, arrays, expected))

    def gradients(self, what, tolerance, claimed, size, function):
        """Add a row for x and for each parameter: compare its gradient with differences."""
        for key, a, g in zip(self.inputs[2:], self.arrays()[2:], claimed, strict=True):
            name, every = what + key, max(a.size, self.layer.size // 10) <= FEW
            if not (name in self.known and np.array_equal(self.known[name], g)):
                args = tolerance, function, a, g, self.rng, size, every
                self.add(gradient_row(name + self.mode, *args, dead=a is not self.x))
            self.known[name] = g

    def contract(self):
        """Check the rules of ``layers/base.py``; return False if nothing more can be checked."""
        x, dy, before, self.handed = self.x, self.dy, copy.deepcopy(self.arrays()), {}
        y, cache = self.forward(x)
        right = self.backward(cache)
        self.untouched(UNTOUCHED, before)
        for array, start in zip(self.arrays(), before, strict=True):
            array[...] = start
        if not (shape := shape_row("dx has the shape of x" + self.mode, "dx", right[0], x)).passed:
            return self.add(shape)
        for key, param in self.params.items():
            if not np.may_share_memory(param.grad, self.layer.grad):
                detail = f"hint: backward binds {key}.grad to another array: write += into it"
                return self.add(Row("gradients stay views" + self.mode, np.inf, 0, detail))
        again = self.forward(x)[0]
        if not self.same("forward repeats itself", ["y", "y"], [y, again], [self.y, self.y]):
            return False

        names = ["dx", *(f"d{key}" for key in self.params)]
        _, cache = self.forward(x)
        self.backward(cache)
        self.same("a cache can be used twice", names, self.backward(cache), right)

        _, cache = self.forward(x)
        _, other = self.forward(self.rng.standard_normal(x.shape))
        self.layer.backward(self.rng.standard_normal(dy.shape), other)
        self.same("two batches in flight", names, self.backward(cache), right)

        self.layer.grad[...] = flat = self.rng.standard_normal(self.layer.size)
        start = copy.deepcopy(self.grads())
        found = self.backward(self.forward(x)[1], flat, into_params=False)
        self.same("into_params=False", names, found, [right[0], *start])
        if self.params:
            found = self.backward(self.forward(x)[1], flat)[1:]
            total = [grad + g for grad, g in zip(start, right[1:], strict=True)]
            self.same("gradients add up", names[1:], found, total)
            switch = only_params(self.layer)
            only = self.backward(self.forward(x)[1], flat, into_params=switch)[1:]
            self.same('into_params="only"', names[1:], only, found)
        for row in [*finite(self), same_dtype(self)]:
            self.add(replace(row, check=row.check + self.mode))
        return True

    def first_order(self):
        """Check dS/dx and dS/dθ for S = <f(x), dy>."""
        claimed, size = self.backward(self.forward(self.x)[1]), np.linalg.norm(self.dy)
        self.gradients("d", FIRST, claimed, size, lambda: self.forward(self.x)[0] * self.dy)

    def adjoint(self):
        """Check the identity of linear maps, once, if the layer is a `LinearMap`."""
        layer, x, dy = self.layer, self.x, self.dy
        if self.mode or not isinstance(layer, LinearMap):
            return
        right = {"<x, adjoint(dy)>": (x * layer.adjoint(dy, x.shape)).sum()}
        if layer.w is not None:
            right["<w, weight_grad(x, dy)>"] = (layer.w.value * layer.weight_grad(x, dy)).sum()
        for what, value in right.items():
            self.add(inner_row(f"<apply(x), dy> = {what}", layer.apply(x), dy, value))

    def second_order(self):
        """Check dB/dx and dB/dθ for B = <J t, dy> = <t, J^T dy>, which needs only `backward`."""

        def B():  # noqa: N802
            _, cache = self.forward(self.x)
            return self.layer.backward(self.dy.copy(), cache, into_params=False) * self.t

        before = copy.deepcopy(self.arrays())
        _, cache = self.forward(self.x)
        self.layer.zero_grad()
        self.stage = "double_backward"
        try:
            jt, *claimed = self.tangent(cache)
        except NotImplementedError:
            note = "no double_backward: the second order was not checked"
            self.report.notes += [] if self.mode else [note]
            return
        for name, a, like in ("J t", jt, self.dy), ("dB/dx", claimed[0], self.x):
            if not (shape := shape_row(f"shape of {name}{self.mode}", name, a, like)).passed:
                return self.add(shape)
        self.untouched("double_backward leaves inputs alone", before)
        expected = [jt, claimed[0], *(2 * g for g in claimed[1:])]
        names = ["J t", "dB/dx", *(f"dB/d{key}" for key in self.params)]
        self.same("double_backward twice adds twice", names, self.tangent(cache), expected)
        self.add(inner_row("<J t, dy> = <t, J^T dy>" + self.mode, jt, self.dy, B().sum()))
        size = np.linalg.norm(self.t) * np.linalg.norm(self.dy)
        self.gradients("second order d", SECOND, claimed, size, B)
