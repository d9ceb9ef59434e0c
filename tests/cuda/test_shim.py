"""The shim refuses what a device would misread, and shows what a device would get wrong."""

import numpy as np
import pytest

from . import device, shim

pytestmark = pytest.mark.skipif(not shim.COMPILER, reason="it needs g++, on Linux")

SOURCE = """
extern "C" __global__ void add(const REAL* a, REAL* y, REAL b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a[i] + b;
}
struct alignas(16) Four { float at[4]; };
extern "C" __global__ void misaligned(float* y) { *(Four*)(y + 1) = {1, 2, 3, 4}; }
extern "C" __global__ void outside(float* y, int n) {
    float four[4] = {1, 2, 3, 4};
    *y = four[n];
}
extern "C" __global__ void places(int* y) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    y[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}
"""

MEETING = """
extern "C" __global__ void shift(const int* x, int* y) {
    __shared__ int seen[64];
    seen[threadIdx.x] = x[threadIdx.x];
    BARRIER;
    y[threadIdx.x] = seen[(threadIdx.x + 1) % blockDim.x];
}
extern "C" __global__ void meet_in_part(int* y) {
    if (threadIdx.x > 2) __syncthreads();
}
"""


@pytest.fixture(scope="module")
def module():
    return shim.RawModule(code=SOURCE, options=("-DREAL=float", "--std=c++17"))


@pytest.fixture
def backwards(monkeypatch):
    monkeypatch.setattr(shim, "BACKWARDS", True)


def arguments(n=10):
    a = np.arange(n, dtype=np.float32)
    return [a, np.zeros_like(a), np.float32(2), np.int32(n)]


def test_a_kernel_runs(module):
    given = arguments()
    module.get_function("add")((3,), (4,), given, shared_mem=0)
    assert (given[1] == given[0] + 2).all()


def test_every_thread_of_every_block_runs_once(module):
    y = np.zeros(2 * 3 * 4 * 5 * 2, np.int32)
    module.get_function("places")((2, 3), (4, 5, 2), (y,))
    assert (y == 1).all()


@pytest.mark.parametrize(
    ("i", "wrong"),
    [
        (0, np.arange(10.0)),
        (0, np.zeros((10, 2), np.float32)[:, 0]),
        (0, 3),
        (1, np.broadcast_to(np.float32(0), 10)),
        (2, 2.0),
        (2, np.float64(2)),
        (3, 10),
        (3, np.int64(10)),
    ],
)
def test_an_argument_of_another_type_is_refused(module, i, wrong):
    given = arguments()
    given[i] = wrong
    with pytest.raises(TypeError, match=f"add, argument {i}: "):
        module.get_function("add")((3,), (4,), given)


def test_what_a_device_could_not_start_is_refused(module):
    add = module.get_function("add")
    with pytest.raises(TypeError, match="3 arguments given, 4 wanted"):
        add((1,), (1,), arguments()[:3])
    for grid, block in [((0,), (4,)), ((1, 65536), (4,)), ((1,), (1025,)), ((1,), (64, 32))]:
        with pytest.raises(ValueError, match="add: "):
            add(grid, block, arguments())
    with pytest.raises(
        KeyError, match="no kernel 'nothing', only add, misaligned, outside, places"
    ):
        module.get_function("nothing")


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [("misaligned", (), "not a multiple of its size"), ("outside", (4,), "outside of its array")],
)
def test_reading_where_a_device_cannot_is_an_error(module, name, more, told):
    y = device.asarray(np.zeros(8, np.float32))
    with pytest.raises(RuntimeError, match=f"{name}: .* {told}"):
        module.get_function(name)((1,), (1,), (y, *map(np.int32, more)))


def test_what_is_no_program_is_refused():
    with pytest.raises(RuntimeError, match="nowhere"):
        shim.RawModule(code='extern "C" __global__ void f(int* x) { nowhere(); }')


def shifted(barrier):
    """Whether the kernel works with this in place of its barrier."""
    kernel = shim.RawModule(code=MEETING.replace("BARRIER", barrier)).get_function("shift")
    x, y = np.arange(64, dtype=np.int32), np.empty(64, np.int32)
    kernel((1,), (64,), (x, y))
    kernel((1,), (64,), (x + 100, y))
    return (y == np.roll(x, -1) + 100).all()


def test_threads_meet_at_a_barrier():
    assert shifted("__syncthreads()")
    assert not shifted("")


def test_threads_meet_at_a_barrier_backwards(backwards):
    assert shifted("__syncthreads()")
    assert not shifted("")


def test_a_barrier_that_some_threads_miss_is_an_error():
    kernel = shim.RawModule(code=MEETING.replace("BARRIER", "")).get_function("meet_in_part")
    with pytest.raises(RuntimeError, match="by some threads of a block and not by others"):
        kernel((1,), (8,), (np.zeros(1, np.int32),))


def test_the_margins_of_memory_are_watched(module):
    given = [device.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments()]
    module.get_function("add")((3,), (4,), given)
    device.check_margins()
    given = [device.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments()]
    given[3] = np.int32(12)
    module.get_function("add")((3,), (4,), given)
    with pytest.raises(AssertionError):
        device.check_margins()
