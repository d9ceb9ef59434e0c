import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgan import Dense

from .pytorch import assert_agrees, dtypes, few, seeds, sizes
from .refusal import assert_shape_refused


@pytest.mark.parametrize("shape", [(4, 7), (6,), (2, 3, 6)])
def test_a_wrong_shape_is_named(shape):
    found = str(shape).replace("(", r"\(").replace(")", r"\)")
    message = rf"Dense\(6, 5\): expected input of shape \(N, 6\), got {found}$"
    assert_shape_refused(lambda: Dense(6, 5), shape, message)


@pytest.mark.torch
@dtypes
@given(few, sizes, sizes, st.booleans(), seeds)
def test_dense(dtype, n, n_in, n_out, bias, seed):
    assert_agrees(Dense(n_in, n_out, bias=bias), (n, n_in), dtype, seed)
