"""cuBLAS over the stand-in's memory: the functions of C that are called, every argument checked."""

import ctypes
from types import SimpleNamespace

import numpy as np


def library(cublas, device):
    """The shared library, for `scratchgan.backend.cuda.gemm` and the stand-in's device.

    Functions are real pointers to functions of C. What they refuse has a status and ``refused``,
    a list of reasons. ``calls`` lists the operations, sizes and leading dimensions of products,
    ``set`` what was done to handles.
    """
    fake = SimpleNamespace(calls=[], refused=[], handles={}, set=[])

    def of_c(name):
        def guard(function):
            def call(*args):
                try:
                    function(*args)
                except Exception as error:
                    fake.refused.append(f"{name}: {error}")
                    return 7
                return 0

            kind = ctypes.CFUNCTYPE(ctypes.c_int, *cublas.SIGNATURES[name])
            setattr(fake, name, kind(call))

        return guard

    @of_c("cublasCreate_v2")
    def create(handle):
        fake.set.append("create")
        number = 1000 + len(fake.handles)
        ctypes.c_void_p.from_address(handle).value = number
        fake.handles[number] = SimpleNamespace(stream=None, workspace=None)

    @of_c("cublasSetStream_v2")
    def set_stream(handle, stream):
        fake.set.append("stream")
        fake.handles[handle].stream, fake.handles[handle].workspace = stream, None

    @of_c("cublasSetWorkspace_v2")
    def set_workspace(handle, pointer, size):
        fake.set.append("workspace")
        device.matrix(pointer, size, 1, size, np.uint8)
        fake.handles[handle].workspace = pointer, size

    @of_c("cublasGemmEx")
    def gemm(
        handle, op_a, op_b, m, n, k, alpha, a, a_kind, lda, b, b_kind, ldb,
        beta, c, c_kind, ldc, compute, algorithm,
    ):  # fmt: skip
        own = fake.handles[handle]
        assert own.workspace, "no workspace"
        where, size = own.workspace
        device.matrix(where, size, 1, size, np.uint8)  # it is still there
        assert own.stream == device.streams[-1].ptr, "the handle is another stream's"
        kinds = {(0, 68): np.float32, (0, 77): np.float32, (1, 70): np.float64}
        assert a_kind == b_kind == c_kind and algorithm == -1
        dtype = kinds[a_kind, compute]
        scalar = ctypes.c_float if dtype is np.float32 else ctypes.c_double
        assert scalar.from_address(alpha).value == 1 and scalar.from_address(beta).value == 0
        assert min(m, n, k) > 0

        def operand(pointer, operation, rows, columns, step):
            assert operation in (0, 1)
            rows, columns = (columns, rows) if operation else (rows, columns)
            assert step >= rows, f"leading dimension {step} of {rows} rows"
            matrix = device.matrix(pointer, rows, columns, step, dtype)
            return matrix.T if operation else matrix

        first, second = operand(a, op_a, m, k, lda), operand(b, op_b, k, n, ldb)
        assert ldc >= m
        into = device.matrix(c, m, n, ldc, dtype)
        rounded = _ten_bits if compute == 77 else np.asarray
        fake.calls.append(((op_a, op_b), (m, n, k), (lda, ldb, ldc), compute))
        device.call(lambda: np.copyto(into, rounded(first) @ rounded(second)))

    return fake


def _ten_bits(x):
    """TF32: the mantissa rounded to 10 bits."""
    bits = np.array(x).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
