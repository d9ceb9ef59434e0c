"""How cuBLAS is asked for a product, on a library that checks every argument."""

import importlib

import numpy as np
import pytest

from ..compare import assert_close

SHAPES = [
    *[(3, 4, 5), (1, 1, 1), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 4, 1), (3, 1, 1), (1, 1, 5)],
    (128, 100, 7),
]


@pytest.fixture
def gemm(ops):
    return importlib.import_module("scratchgan.backend.cuda.gemm")


def views(cupy, a):
    """This matrix on the device, lying in memory in every way that there is a name for."""
    R, C = a.shape
    wide, tall = np.zeros((R, C + 3), a.dtype), np.zeros((C, R + 2), a.dtype)
    wide[:, 1 : C + 1], tall[:, :R] = a, a.T
    spaced = a.repeat(2, 0).repeat(2, 1)
    return {
        "rows": cupy.asarray(a),
        "transposed": cupy.asarray(a.T).T,
        "some columns": cupy.asarray(wide)[:, 1 : C + 1],
        "some columns, transposed": cupy.asarray(tall)[:, :R].T,
        "every other entry": cupy.asarray(spaced)[::2, ::2],
        "every other row": cupy.asarray(a.repeat(2, 0))[::2],
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("R", "K", "O"), SHAPES)
def test_any_views_have_the_product_of_numpy(cupy, ops, gemm, R, K, O, dtype):  # noqa: E741
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((R, K)).astype(dtype), rng.standard_normal((K, O)).astype(dtype)
    for of_a, first in views(cupy, a).items():
        for of_b, second in views(cupy, b).items():
            product = gemm.matmul(first, second)
            assert gemm.library().refused == []
            assert product.flags.c_contiguous and product.dtype == dtype
            tolerance = 1e-6 if dtype == "float32" else 1e-14
            assert_close(product.get(), a @ b, tolerance, f"{of_a} by {of_b}")


def test_transposed_views_and_columns_are_not_copied(cupy, ops, gemm):
    a, b = cupy.asarray(np.ones((6, 4))), cupy.asarray(np.ones((6, 5)))
    gemm.matmul(a, a.T)
    cupy.device.reset()
    gemm.matmul(a.T, b)
    gemm.matmul(a[:, :2], b[:2])
    gemm.matmul(b[:, 1:3].T, a)
    assert cupy.device.launches == 3
    # C^T = B^T A^T: of the second operand first. Operations, (O, R, K), leading dimensions.
    assert gemm.library().calls[-3:] == [
        ((0, 1), (5, 4, 6), (5, 4, 5), 70),
        ((0, 0), (5, 6, 2), (5, 4, 5), 70),
        ((0, 1), (4, 2, 6), (4, 5, 4), 70),
    ]
    gemm.matmul(a[::2, ::2], b[:2])
    assert cupy.device.launches == 5  # a copy, and a product


def test_one_row_or_column_is_never_copied(cupy, gemm):
    a, one = cupy.asarray(np.arange(12.0).reshape(3, 4)), cupy.asarray(np.ones((1, 1)))
    columns = a[:, 1:2], a[0][:, None], a[:, ::2][:, :1], a.T[:, :1], a[1:2].T
    for column in columns:
        for x in (column, column.T):
            wanted = x.get()
            cupy.device.reset()
            product = gemm.matmul(x, one) if x.shape[1] == 1 else gemm.matmul(one, x)
            assert cupy.device.launches == 1
            np.testing.assert_array_equal(product.get(), wanted)
    assert gemm.library().refused == []


def test_rows_that_overlap_are_copied(cupy, gemm):
    """A row that is repeated, and windows of a signal: cuBLAS knows no such matrices."""
    a, eye = np.arange(6.0), cupy.asarray(np.eye(3))
    signal = cupy.asarray(a)
    repeated = cupy.broadcast_to(signal[:3], (3, 3))
    windows = signal._view(np.lib.stride_tricks.sliding_window_view(signal._a, 3)[:3])
    for x in (repeated, repeated.T, windows, windows.T):
        np.testing.assert_array_equal(gemm.matmul(x, eye).get(), x.get())
        np.testing.assert_array_equal(gemm.matmul(eye, x).get(), x.get())
    assert gemm.library().refused == []


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_of_no_numbers(cupy, gemm, shape):
    R, K, O = shape  # noqa: E741
    product = gemm.matmul(cupy.asarray(np.ones((R, K))), cupy.asarray(np.ones((K, O))))
    assert product.shape == (R, O) and not product.get().any()


def test_what_is_no_product_is_refused(cupy, gemm):
    a, b = cupy.asarray(np.ones((2, 3))), cupy.asarray(np.ones((3, 2), np.float32))
    for pair in (a, a), (a, b), (a, b[0]), (a[None], a):
        with pytest.raises(ValueError, match=r"matmul: expected matrices .* of one dtype, got"):
            gemm.matmul(*pair)


def test_an_error_of_cublas_is_told(cupy, gemm, monkeypatch):
    a = cupy.asarray(np.ones((2, 2)))
    monkeypatch.setitem(gemm.KINDS, "float64", (gemm.REAL_64, 12, *gemm.KINDS["float64"][2:]))
    with pytest.raises(RuntimeError, match="cuBLAS refuses: cublasGemmEx returned status 7"):
        gemm.matmul(a, a)


def test_all_streams_share_a_workspace_that_is_from_no_pool(cupy, gemm):
    a = cupy.asarray(np.ones((2, 2)))
    default, pool = cupy.cuda.get_current_stream(), cupy.cuda.MemoryPool()
    for _ in range(2):
        stream = cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(default.record())
        with stream, cupy.cuda.using_allocator(pool.malloc):
            for _ in range(2):
                gemm.matmul(a, a)
        default.wait_event(stream.record())
        pool = cupy.cuda.MemoryPool()  # and the one before is gone
        gemm.matmul(a, a)
    fake = gemm.library()
    assert fake.refused == [] and len(fake.handles) == 1
    assert fake.set == ["create"] + 4 * ["stream", "workspace"]


def test_a_product_can_be_captured(cupy, gemm):
    a = cupy.asarray(np.eye(2))
    b = cupy.empty((2, 2))
    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    stream.wait_event(cupy.cuda.get_current_stream().record())
    with stream, cupy.cuda.using_allocator(pool.malloc):
        gemm.matmul(a, a)
        stream.begin_capture()
        b[...] = gemm.matmul(a, a)
        graph = stream.end_capture()
        a += 1
        graph.launch()
        np.testing.assert_array_equal(b.get(), [[5, 4], [4, 5]])


def test_only_tf32_rounds(cupy, ops, gemm):
    a, b = np.random.default_rng(0).standard_normal((2, 8, 8)).astype(np.float32)
    first, second = cupy.asarray(a), cupy.asarray(b)

    def error():
        return np.abs(ops.matmul(first, second).get() - a.astype(float) @ b).max()

    assert error() < 1e-5
    ops.allow_tf32(True)
    assert 1e-4 < error() < 1e-2
    double = ops.matmul(cupy.asarray(a.astype(float)), cupy.asarray(b.astype(float)))
    assert_close(double.get(), a.astype(float) @ b.astype(float), 1e-14)
    ops.allow_tf32(False)
    assert error() < 1e-5


MAPS = """\
7f01-7f02 r-xp 00000000 08:01 11 /usr/lib/libc.so.6
7f03-7f04 r-xp 00000000 08:01 12 /opt/my wheels/nvidia/cublas/lib/libcublasLt.so.12
7f05-7f06 r-xp 00000000 08:01 13 /opt/my wheels/nvidia/cublas/lib/libcublas.so.12
7f07-7f08 r-xp 00000000 08:01 14 /usr/local/cuda-13.0/lib64/libcublas.so.13.1.0.3
"""


@pytest.mark.parametrize(
    ("major", "path"),
    [
        (12, "/opt/my wheels/nvidia/cublas/lib/libcublas.so.12"),
        (13, "/usr/local/cuda-13.0/lib64/libcublas.so.13.1.0.3"),
        (1, None),
        (11, None),
    ],
)
def test_the_library_is_the_one_of_cupys_cuda(gemm, major, path):
    assert gemm.path_in(MAPS, major) == path


def test_without_the_library_products_are_cupys(cupy, ops, gemm, monkeypatch):
    monkeypatch.setattr(gemm, "library", lambda: None)
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(ops.matmul(cupy.asarray(a), cupy.asarray(a).T).get(), a @ a.T)
