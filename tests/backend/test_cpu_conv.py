"""The fast convolutions against the readable ones, for every way of sharing the work."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgan.backend import conv_reference
from scratchgan.backend.cpu import conv
from scratchgan.backend.cpu import threads as cpu_threads

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)


@pytest.fixture(autouse=True)
def all_threads_again():
    yield
    cpu_threads.set_threads()


def compare(N, size, C, O, kernel, stride, padding, dtype, tolerance):  # noqa: E741
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, *size, C)).astype(dtype)
    w = rng.standard_normal((*kernel, C, O)).astype(dtype)
    y = conv_reference.conv2d(x, w, stride, padding)
    dy = rng.standard_normal(y.shape).astype(dtype)
    calls = {
        "conv2d": (x, w, stride, padding),
        "conv2d_adjoint": (dy, w, stride, padding, size),
        "conv2d_weight_grad": (x, dy, kernel, stride, padding),
    }
    for name, arguments in calls.items():
        wanted = getattr(conv_reference, name)(*arguments)
        found = getattr(conv, name)(*arguments)
        assert found.dtype == dtype and found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max(), name


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), pairs, pairs, pads, st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_any_kernel_stride_and_padding(N, kernel, stride, padding, C, O, share):  # noqa: E741
    small, cpu_threads.SMALL = cpu_threads.SMALL, 0 if share else cpu_threads.SMALL
    try:
        compare(N, (7, 6), C, O, kernel, stride, padding, "float64", 1e-13)
    finally:
        cpu_threads.SMALL = small


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_blocks_in_several_threads(threads, dtype, monkeypatch):
    monkeypatch.setattr(conv, "BLOCK", 20_000)
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(threads)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    compare(23, (8, 8), 3, 5, (4, 4), (2, 2), ((1, 1), (1, 1)), dtype, tolerance)


def test_a_slice_of_a_larger_array_is_read_right():
    rng = np.random.default_rng(0)
    large = rng.standard_normal((4, 9, 9, 6))
    x, w = large[::2, 1:, :-1, 1:4], rng.standard_normal((3, 3, 3, 2))
    arguments = (w, (2, 2), ((0, 0), (0, 0)))
    wanted = conv_reference.conv2d(x, *arguments)
    assert np.allclose(conv.conv2d(x, *arguments), wanted, rtol=1e-13, atol=1e-13)
