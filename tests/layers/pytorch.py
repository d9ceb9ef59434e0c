"""What the comparisons of layers with PyTorch have in common: dtypes, and random sizes.

PyTorch is imported only when a test runs, so that files with other tests work without it.
"""

import pytest
from hypothesis import strategies as st

dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
seeds = st.integers(0, 2**32)
few = st.integers(1, 4)
sizes = st.integers(3, 8)  # of images, and of what is averaged over


def assert_first_order_agrees(*arguments, **options):
    from .. import reference

    reference.assert_first_order_agrees(*arguments, **options)


def assert_second_order_agrees(*arguments, **options):
    from .. import reference

    reference.assert_second_order_agrees(*arguments, **options)


def assert_agrees(layer, shape, dtype, seed):
    assert_first_order_agrees(layer, shape, dtype, seed)
    assert_second_order_agrees(layer, shape, dtype, seed)
