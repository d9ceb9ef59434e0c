"""The stand-in for CuPy is as strict as it says: what it lets pass, other tests rely on."""

import copy

import numpy as np
import pytest

from scratchgan import get_backend
from scratchgan.backend import ops_of

HOST = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def x(cupy):
    return cupy.asarray(HOST)


def test_it_is_taken_for_cupy(cupy, ops, x):
    assert get_backend("cupy") is get_backend("auto") is ops_of(x) is ops
    assert type(x) is cupy.ndarray is ops.xp.ndarray


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + HOST,
        lambda x: HOST + x,
        lambda x: x.__iadd__(HOST),
        lambda x: x == HOST,
        lambda x: np.exp(x),
        lambda x: np.sum(x),
        lambda x: np.asarray(x),
        lambda x: np.concatenate([x, x]),
        lambda x: x @ HOST.T,
        lambda x: x[np.array([0])],
        lambda x: x[[0]],
        lambda x: x.__setitem__(..., HOST),
        lambda x: x.__setitem__(np.array([0]), 1.0),
        lambda x: x._device.cupy.where(HOST > 0, x, x),
        lambda x: x._device.cupy.maximum(HOST, x),
        lambda x: x._device.cupy.concatenate([x, HOST]),
        lambda x: x.take(np.array([0]), 0),
    ],
)
def test_host_and_device_do_not_mix(x, mix):
    with pytest.raises(TypeError):
        mix(x)


@pytest.mark.parametrize(
    ("lacks", "error"),
    [
        (lambda cp, x: cp.exp(x, where=x > 0), TypeError),
        (lambda cp, x: x.sum(where=x > 0), TypeError),
        (lambda cp, x: cp.clip(x, None, 1), ValueError),
        (lambda cp, x: cp.asarray(np.array([None])), ValueError),
        (lambda cp, x: cp.zeros(3, object), ValueError),
        (lambda cp, x: cp.random.default_rng(0).normal(), AttributeError),
        (lambda cp, x: cp.einsum, AttributeError),
        (lambda cp, x: cp.vectorize, AttributeError),
        (lambda cp, x: x[None] @ x[None], TypeError),
        (lambda cp, x: x.__imatmul__(x), TypeError),
        (lambda cp, x: hash(x), TypeError),
        (lambda cp, x: range(cp.arange(3)[1]), TypeError),
        (lambda cp, x: [0, 1, 2][cp.arange(3)[1]], TypeError),
    ],
)
def test_what_cupy_lacks(cupy, x, lacks, error):
    with pytest.raises(error):
        lacks(cupy, x)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: float(x[0, 0]),
        lambda x: int(x[0, 0]),
        lambda x: bool(x[0, 0]),
        lambda x: x[0, 0].item(),
        lambda x: x.get(),
        lambda x: x._device.cupy.asnumpy(x),
        lambda x: x.tolist(),
        lambda x: x.nonzero(),
        lambda x: x[x._device.cupy.asarray(HOST > 2)],
        lambda x: x._device.cupy.cuda.get_current_stream().synchronize(),
    ],
)
def test_what_makes_the_host_wait_is_counted(cupy, x, wait):
    cupy.device.reset()
    wait(x)
    assert cupy.device.waits == 1


def test_views_are_views_and_launches_are_counted(cupy, x):
    cupy.device.reset()
    x.T[0, 1] = 7.0
    x[1].reshape(3)[-1] += 1
    assert cupy.device.launches == 3  # one for +=, which writes its result back
    np.testing.assert_array_equal(x.get(), [[0, 1, 2], [7, 4, 6]])
    cupy.device.reset()
    x.T.reshape(-1)  # a copy
    copy.deepcopy(x)
    (x + x).sum(0)
    assert cupy.device.launches == 4
    assert (cupy.device.to_device, cupy.device.to_host) == ([], [])
    cupy.asarray(np.ones(5, np.float32))
    float(x[0, 0])
    assert (cupy.device.to_device, cupy.device.to_host) == ([20], [8])


def test_streams_must_wait_for_each_other(cupy, x):
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream, pytest.raises(RuntimeError, match="race"):
        x + 1
    default = cupy.cuda.get_current_stream()
    stream.wait_event(default.record())
    with stream:
        x += 1
    with pytest.raises(RuntimeError, match="race"):
        float(x[0, 0])
    default.wait_event(stream.record())
    assert float(x[0, 0]) == 1


def captured(cupy, function, pool=None):
    stream, pool = cupy.cuda.Stream(non_blocking=True), pool or cupy.cuda.MemoryPool()
    default = cupy.cuda.get_current_stream()
    stream.wait_event(default.record())
    with stream, cupy.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            function()
        finally:
            graph = stream.end_capture()
    return graph, stream, pool


def test_a_capture_computes_nothing_and_its_graph_does(cupy, x):
    host = 1.0

    def step():
        y = x + host
        x[...] = 2 * y

    graph, stream, pool = captured(cupy, step)
    host = 100.0  # too late
    np.testing.assert_array_equal(x.get(), HOST)
    with stream:
        stream.wait_event(cupy.device.streams[0].record())
        graph.launch()
        graph.launch()
    stream.synchronize()
    np.testing.assert_array_equal(x.get(), 2 * (2 * (HOST + 1) + 1))
    assert pool


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda x: float(x[0, 0]),
        lambda x: x.get(),
        lambda x: x @ x.T,
        lambda x: x[x > 1],
        lambda x: x._device.cupy.asarray(HOST),
    ],
)
def test_what_a_capture_refuses(cupy, x, forbidden):
    with pytest.raises((RuntimeError, NotImplementedError), match="captur"):
        captured(cupy, lambda: forbidden(x))


def test_a_capture_refuses_what_it_refuses_elsewhere(cupy):
    i = cupy.arange(3)
    for write in (lambda: i.__iadd__(0.5), lambda: i.__itruediv__(2)):
        with pytest.raises(TypeError):
            write()
        with pytest.raises(TypeError):
            captured(cupy, write)


def test_a_graph_is_nothing_without_its_memory(cupy, x):
    graph, stream, pool = captured(cupy, lambda: x + 1)
    del pool
    stream.wait_event(cupy.device.streams[0].record())
    with stream, pytest.raises(RuntimeError, match="somebody else's"):
        graph.launch()
    graph, stream, _ = captured(cupy, lambda: x + 1, cupy.get_default_memory_pool())
    stream.wait_event(cupy.device.streams[0].record())
    with stream, pytest.raises(RuntimeError, match="somebody else's"):
        graph.launch()
