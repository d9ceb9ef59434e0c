"""The CuPy backend against the reference: on the CPU by the shim, and on a device, if any."""

import numpy as np
import pytest

from scratchgan.backend import reference
from scratchgan.backend.cuda import grids

from ..compare import assert_close
from ..cuda import device, shim

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(scope="module")
def on_cpu():
    if not shim.COMPILER:
        pytest.skip("CUDA kernels run on the CPU by g++, on Linux")
    return device.load()


@pytest.fixture(params=["shim", "shim, backwards", pytest.param("gpu", marks=pytest.mark.gpu)])
def ops(request, monkeypatch):
    """The CuPy backend; on the CPU with threads in rising and in falling order."""
    if request.param == "gpu":
        yield request.getfixturevalue("cupy_ops")
        return
    monkeypatch.setattr(shim, "BACKWARDS", "backwards" in request.param)
    yield request.getfixturevalue("on_cpu")
    device.check_margins()


def compare(ops, name, dtype, *arguments, skip=0):
    """Call both backends: the same results, and arguments left alone or changed the same way.

    The reference computes in float64, from the same numbers. On the device an array starts ``skip``
    numbers after where it could: not all memory is aligned for packs.
    """
    arrays = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray)]
    given, wanted = list(arguments), list(arguments)
    for i in arrays:
        rounded = arguments[i].astype(dtype)
        wanted[i] = rounded.astype(float)
        flat = ops.asarray(np.concatenate([np.zeros(skip, dtype), rounded.ravel()]))
        given[i] = flat[skip:].reshape(rounded.shape)
    found = getattr(ops, name)(*given), *(given[i] for i in arrays)
    exact = getattr(reference, name)(*wanted), *(wanted[i] for i in arrays)
    for i, (f, e) in enumerate(zip(_flat(found), _flat(exact), strict=True)):
        mean = name == "batch_moments_" and i == 0  # it has more digits
        assert f.dtype == ("float64" if mean else dtype), name
        assert_close(ops.to_host(f), e, TOLERANCE[dtype], name)


def _flat(results):
    """The arrays of nested tuples."""
    if isinstance(results, tuple):
        return [array for result in results for array in _flat(result)]
    return [] if results is None else [results]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- number by number ------------------------------------------------------------------------


def numbers(n):
    """Calls of the operations on n numbers: name, arguments."""
    a, b, m = (3 * normal(n, seed=seed) for seed in range(3))
    v, t = m**2, np.random.default_rng(3).random(n)
    return [
        ("leaky_relu", a, 0.2),
        ("leaky_relu", a, 0),
        ("leaky_relu_grad", a, b, 0.2),
        ("leaky_relu_grad", a, b, 0),
        ("sigmoid", a),
        ("softplus", a),
        ("tanh", a),
        ("tanh_grad", a, np.tanh(b)),
        ("binary_cross_entropy", a, 0.9),
        ("binary_cross_entropy", a, t),
        ("binary_cross_entropy", a, np.array(0.1)),
        ("sgd_", a, b, m, 0.1, 0.9),
        ("rmsprop_", a, b, v, 0.1, 0.99, 1e-8),
        ("adam_", a, b, m, v, 0.1, 0.5, 0.999, 1e-8),
        ("adam_", a, b, 0 * m, 0 * v, 0.1, 0.5, 0.999, 1e-8),
        ("ema_", a, b, 0.999),
    ]


@dtypes
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 256, 1021, 1024, 5003])
@pytest.mark.parametrize("skip", [0, 1])
def test_numbers(ops, dtype, n, skip):
    for name, *arguments in numbers(n):
        compare(ops, name, dtype, *arguments, skip=skip)


@dtypes
def test_extreme_numbers(ops, dtype):
    """Each to its own last digits: beside the largest of them, an error in the others is hidden."""
    x = np.array([-np.inf, -1e30, -700, -80, -1e-30, 0, 1e-30, 1, 80, 700, 1e30, np.inf, np.nan])
    x = x.astype(dtype)
    calls = [("sigmoid",), ("softplus",), ("tanh",), ("leaky_relu", 0.2), ("leaky_relu", 0)]
    with np.errstate(all="ignore"):
        for name, *parameters in calls:
            found = ops.to_host(getattr(ops, name)(ops.asarray(x), *parameters))
            wanted = getattr(reference, name)(x.astype(float), *parameters)
            tiny = np.finfo(dtype).tiny  # smaller ones a device may set to zero
            np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=tiny)


def test_nothing_at_all(ops):
    for name, *arguments in numbers(0):
        if name != "binary_cross_entropy":  # the mean of nothing
            compare(ops, name, "float32", *arguments)
    for name, *arguments in rows(0, 3):
        if name not in ("batch_moments_", "batch_norm_grad"):  # so are these
            compare(ops, name, "float32", *arguments)
    images, w, geometry = np.zeros((0, 4, 4, 2)), normal(3, 3, 2, 5), ((1, 1), ((1, 1), (1, 1)))
    compare(ops, "conv2d", "float32", images, w, *geometry)
    compare(ops, "conv2d_adjoint", "float32", np.zeros((0, 4, 4, 5)), w, *geometry, (4, 4))


# ---- row by row ------------------------------------------------------------------------------

ROWS = [
    (2, 1), (7, 3), (128, 5), (1031, 64), (513, 257), (100_003, 3), (20_011, 1), (3, 1024),
    (10_007, 33), (600, 36), (5, 3, 2, 8),
]  # fmt: skip


def rows(*shape):
    """Calls of the operations on rows (..., C): name, arguments."""
    x, dy = 2 + 3 * normal(*shape), normal(*shape, seed=1)
    C = shape[-1]
    mean, beta, s, q, dgamma, dbeta = normal(6, C, seed=2)
    gamma, sigma, var = 1 + np.random.default_rng(3).random((3, C))
    matrix = x.reshape(-1, C)
    return [
        ("add_bias_", x, beta),
        ("sum_rows", matrix),
        ("add_rows_", beta, matrix),
        ("batch_moments_", mean, var, x, 0.9, 1e-5),
        ("batch_norm", x, mean, sigma, gamma, beta),
        ("batch_norm_sums_", dgamma, dbeta, dy, x, mean, sigma),
        ("batch_norm_sums_", None, None, dy, x, mean, sigma),
        ("batch_norm_grad", dy, x, mean, sigma, gamma, s, q),
    ]


@dtypes
@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_rows(ops, dtype, shape):
    for name, *arguments in rows(*shape):
        compare(ops, name, dtype, *arguments, skip=shape[0] % 2)


@dtypes
def test_the_variance_of_values_far_from_zero(ops, dtype):
    """Of 1e4 +- 1, and with a first value that is far from all others."""
    for x in (1e4 + normal(50_000, 3), np.concatenate([np.full((1, 3), 1e3), normal(50_000, 3)])):
        compare(ops, "batch_moments_", dtype, np.zeros(3), np.ones(3), x, 0.9, 1e-5)


@dtypes
@pytest.mark.parametrize("shape", [(40, 3), (5000, 3)])
def test_channels_far_from_zero(ops, dtype, shape):
    """One at 0, one at 10^6, one of equal numbers, each to its own last digits."""
    x = (normal(*shape) * [1, 1, 0] + [0, 1e6, 10000.1]).astype(dtype)
    dy, exact = normal(*shape, seed=1).astype(dtype), x.astype(float)
    there, vectors = ops.asarray(x), [ops.asarray(np.ones(3, dtype)) for _ in range(4)]
    mean, sigma = ops.batch_moments_(*vectors[:2], there, 0.9, 1e-5)
    np.testing.assert_allclose(ops.to_host(mean), exact.mean(0), rtol=1e-9, atol=1e-6)
    wanted_sigma = np.sqrt(exact.var(0) + 1e-5)
    np.testing.assert_allclose(ops.to_host(sigma), wanted_sigma, rtol=1e-5)
    xhat = (exact - exact.mean(0)) / wanted_sigma
    xhat[:, 2] = 0  # the mean of equal numbers is rounded in float64, too
    y = ops.batch_norm(there, mean, sigma, *vectors[2:])
    np.testing.assert_allclose(ops.to_host(y), xhat + 1, atol=1e-5)
    s, q = ops.batch_norm_sums_(None, None, ops.asarray(dy), there, mean, sigma)
    assert_close(ops.to_host(q), (xhat * dy).sum(0), 1e-5)
    dx = ops.batch_norm_grad(ops.asarray(dy), there, mean, sigma, vectors[2], s, q)
    wanted = (dy - dy.mean(0, dtype=float) - xhat * (xhat * dy).mean(0)) / wanted_sigma
    for c in range(3):
        assert_close(ops.to_host(dx)[:, c], wanted[:, c], 1e-5)


def test_the_running_mean_reaches_a_constant_channel(ops):
    running = [ops.asarray(np.zeros(1, np.float32)), ops.asarray(np.ones(1, np.float32))]
    x = ops.asarray(np.full((8, 1), 10000.1, np.float32))
    for _ in range(300):
        ops.batch_moments_(*running, x, 0.9, 1e-5)
    assert ops.to_host(running[0]) == np.float32(10000.1)
    ops.batch_moments_(*running, 2 * x, 1.0, 1e-5)
    assert ops.to_host(running[0]) == np.float32(10000.1)


@dtypes
@pytest.mark.parametrize(("name", "moments"), [("adam_", 2), ("rmsprop_", 1)])
def test_huge_gradients(ops, dtype, name, moments):
    """As the reference; and what is no number is left to be noticed."""
    most = float(np.finfo(dtype).max)
    grad = np.array([1, -2, most**0.5 * 3, -most, np.inf, np.nan, 0], dtype)
    rates = (0.1, 0.5, 0.999, 1e-8) if name == "adam_" else (0.1, 0.99, 1e-8)
    given = [np.ones(7, dtype), grad, *(np.zeros(7, dtype) for _ in range(moments))]
    there = [ops.asarray(a) for a in given]
    with np.errstate(all="ignore"):
        getattr(ops, name)(*there, *rates)
        getattr(reference, name)(*given, *rates)
    for found, wanted in zip(there, given, strict=True):
        np.testing.assert_allclose(ops.to_host(found), wanted, rtol=1e-5, atol=1e-35)
    assert np.isfinite(given[0]).tolist() == [True] * 4 + [False, False, True]


@pytest.fixture
def small_grids(monkeypatch):
    """As if a card were full of very few blocks: each of them has more to do."""
    for name, few in (("MANY", 1), ("PARTS", 2)):
        monkeypatch.setattr(grids, name, few)
    for grid in (grids.for_columns, grids.for_sums):
        grid.cache_clear()
    yield
    for grid in (grids.for_columns, grids.for_sums):
        grid.cache_clear()


@dtypes
@pytest.mark.parametrize("shape", [(2003, 40), (50_001, 1)], ids=str)
def test_rows_in_few_blocks(ops, small_grids, dtype, shape):
    for name, *arguments in rows(*shape):
        compare(ops, name, dtype, *arguments)


@dtypes
def test_convolutions_in_few_blocks(ops, small_grids, dtype):
    geometry = (9, 8, 7, 4), 3, (3, 2), (2, 1), ((1, 1), (0, 1))
    test_convolutions(ops, dtype, 0, *geometry)


def test_rows_are_added_up_in_the_same_order_in_every_run(ops):
    a = ops.asarray(normal(10_007, 5).astype("float32"))
    first, second = (ops.to_host(ops.sum_rows(a)) for _ in range(2))
    assert (first == second).all()


def test_arrays_that_are_not_contiguous(ops):
    a = ops.asarray(normal(6, 9))
    host = ops.to_host(a)
    b = ops.asarray(normal(6))
    assert_close(ops.to_host(ops.sigmoid(a[:, :1])), reference.sigmoid(host[:, :1]), 1e-12)
    assert_close(ops.to_host(ops.sum_rows(a[::2])), host[::2].sum(0), 1e-12)
    y = a.T
    ops.add_bias_(y, b)
    assert_close(ops.to_host(y), host.T + ops.to_host(b), 1e-12)


def test_products_of_matrices_and_of_their_transposes(ops):
    a, b = normal(9, 5), normal(9, 7)
    compare(ops, "matmul", "float64", a.T, b)
    there = ops.asarray(a), ops.asarray(b)
    assert_close(ops.to_host(ops.matmul(there[0].T, there[1])), a.T @ b, 1e-12)
    assert_close(ops.to_host(ops.matmul(there[1].T, there[0])), b.T @ a, 1e-12)


# ---- convolution -----------------------------------------------------------------------------

NONE = ((0, 0), (0, 0))
CONVOLUTIONS = [
    # x (N, H, W, C), O, window, stride, padding
    ((2, 8, 8, 4), 3, (4, 4), (2, 2), ((1, 1), (1, 1))),
    ((1, 7, 6, 1), 2, (3, 2), (1, 1), NONE),
    ((3, 6, 7, 3), 2, (3, 2), (2, 3), ((2, 0), (1, 2))),
    ((2, 5, 6, 5), 4, (2, 3), (3, 1), ((0, 1), (2, 0))),
    ((2, 5, 5, 64), 3, (3, 3), (1, 1), ((1, 1), (1, 1))),
    ((2, 5, 4, 8), 3, (1, 1), (1, 1), NONE),  # its patches are x
    ((2, 5, 4, 8), 3, (1, 1), (2, 2), NONE),
    ((2, 4, 5, 8), 3, (4, 5), (2, 1), NONE),  # its only patch is x
    ((2, 2, 2, 2), 3, (2, 2), (1, 1), ((3, 3), (4, 3))),  # patches of padding alone
    ((1, 9, 9, 6), 1, (2, 2), (3, 3), NONE),  # pixels that no patch sees
    ((1, 1, 1, 257), 2, (1, 1), (1, 1), ((0, 1), (0, 0))),
]


@dtypes
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize(("shape", "out", "window", "stride", "padding"), CONVOLUTIONS)
def test_convolutions(ops, dtype, skip, shape, out, window, stride, padding):
    x, w = normal(*shape), normal(*window, shape[-1], out, seed=1)
    dy = normal(*reference.conv2d(x, w, stride, padding).shape, seed=2)
    compare(ops, "conv2d", dtype, x, w, stride, padding, skip=skip)
    compare(ops, "conv2d_adjoint", dtype, dy, w, stride, padding, shape[1:3], skip=skip)
    compare(ops, "conv2d_weight_grad", dtype, x, dy, window, stride, padding, skip=skip)


# ---- all of them -----------------------------------------------------------------------------


def test_every_operation_is_called_above():
    called = {name for name, *_ in (*numbers(1), *rows(2, 1))}
    called |= {"conv2d", "conv2d_adjoint", "conv2d_weight_grad", "matmul"}
    of_the_host = {"asarray", "limit_blas_threads", "device_count", "synchronize", "to_host", "xp"}
    of_the_host |= {"allow_tf32", "host_array", "host_scalars", "free_memory", "upload"}
    of_the_host |= {"name", "on_host"}
    assert called == set(reference.__all__) - of_the_host


@pytest.fixture
def watched(on_cpu, monkeypatch):
    """The CuPy backend on the CPU, and a list of the kernels as it starts them."""
    started = []
    get_function = shim.RawModule.get_function

    def watch(module, name):
        run = get_function(module, name)
        return lambda *arguments: (started.append(name), run(*arguments))

    monkeypatch.setattr(shim.RawModule, "get_function", watch)
    return device.load(), started


def test_the_calls_above_run_every_kernel(watched):
    ops, started = watched
    for name, *arguments in (*numbers(5), *rows(5, 3), *rows(5000, 3)):
        compare(ops, name, "float32", *arguments)
    shape, out, *geometry = CONVOLUTIONS[0]
    test_convolutions(ops, "float32", 0, shape, out, *geometry)
    assert set(started) == set(grids.families())


def test_an_operation_is_one_launch_and_a_sum_of_many_rows_is_two(watched):
    ops, started = watched
    sums = {"sum_rows", "add_rows_", "batch_moments_", "batch_norm_sums_"}
    for calls, of_a_sum in (numbers(5000), 1), (rows(256, 64), 1), (rows(6272, 64), 2):
        for name, *arguments in calls:
            started.clear()
            compare(ops, name, "float32", *arguments)
            assert len(started) == (of_a_sum if name in sums else 1), name


@pytest.mark.parametrize("C", [1, 3, 64, 100, 1024])
@pytest.mark.parametrize("R", [1, 300, 70_000, 1_000_000])
def test_grids(R, C):
    """Blocks are full, and there are enough of them for a card, and none without work."""
    for grid, block in (grids.for_columns(R, C, C, 4), grids.for_sums(R, C), grids.for_partials(C)):
        assert block[0] * block[1] == grids.THREADS
        assert 1 <= grid[1] <= 65535
        assert grid[0] * block[0] * 4 >= C
    (across, down), (x, y) = grids.for_sums(R, C)
    assert across * x >= C and (down - 1) * y < R
    if R * C >= 1e6:
        assert 100 <= across * down <= grids.PARTS
