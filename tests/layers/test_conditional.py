"""ConcatLabels and Projection: values by hand, PyTorch, penalties, errors."""

import copy

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    ConcatLabels,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Projection,
    Reshape,
    Sequential,
    ShapeError,
    Softplus,
    Tanh,
)
from scratchgan.catalogue import Labelled
from scratchgan.penalties import gradient_penalty, r1, wgan_gp

from ..compare import assert_close

LABELS = np.array([2, 0, 1, 2, 0])  # of four classes: two of them twice, one never
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def concat():
    """(N, 2, 3) and labels -> (N, 1)."""
    net = Sequential(Dense(9, 6), LeakyReLU(0.2), LayerNorm(6), Tanh(), Dense(6, 1))
    return ConcatLabels(net, Embedding(4, 3))


def concat_in_a_network():
    hidden = ConcatLabels(Dense(8, 7), Sequential(Embedding(4, 3), Dense(3, 2), Tanh()))
    return Sequential(hidden, Softplus(), Dense(7, 1))


def projection():
    body = Sequential(Flatten(), Dense(6, 7), LeakyReLU(0.2), Dense(7, 5), Tanh())
    return Projection(body, Embedding(4, 5), Dense(5, 1))


def projection_of_images():
    body = Sequential(Reshape((2, 3, 1)), Conv2D(1, 3, kernel=2), Softplus(), Flatten())
    head = Sequential(Dense(6, 4), Tanh(), Dense(4, 1))
    return Sequential(Projection(body, Embedding(4, 6), head), Tanh(), Dense(1, 1))


CRITICS = [concat, concat_in_a_network, projection, projection_of_images]
each_critic = pytest.mark.parametrize("make", CRITICS)


def prepared(make, dtype="float64", seed=0):
    """The critic off its start, with zero gradients, and x (5, 2, 3)."""
    rng = np.random.default_rng(seed)
    net = make().initialize(rng, dtype=dtype)
    net.theta += 0.3 * rng.standard_normal(net.size).astype(dtype)
    return net, rng.standard_normal((5, 2, 3)).astype(dtype)


# ---- by hand ---------------------------------------------------------------------------------


def test_concatenation_in_numbers():
    layer = ConcatLabels(Dense(3, 1), Embedding(2, 1)).initialize(dtype="float64")
    layer.net.w.value[:, 0] = 1, 10, 100
    layer.embedding.w.value[:, 0] = 3, 7
    x, labels = np.array([[[1.0], [2]], [[4], [5]]]), np.array([1, 0])
    y, cache = layer.forward((x, labels))
    np.testing.assert_array_equal(y, [[721], [354]])
    dx = layer.backward(np.array([[1.0], [2]]), cache)
    np.testing.assert_array_equal(dx, [[[1], [10]], [[2], [20]]])
    np.testing.assert_array_equal(layer.embedding.w.grad, [[200], [100]])
    np.testing.assert_array_equal(layer.net.w.grad[:, 0], [1 + 8, 2 + 10, 7 + 6])


def test_projection_in_numbers():
    layer = Projection(Dense(2, 2), Embedding(2, 2), Dense(2, 1)).initialize(dtype="float64")
    layer.body.w.value[...] = [[1, 0], [0, 2]]
    layer.embedding.w.value[...] = [[1, 1], [10, 20]]
    layer.head.w.value[:, 0], layer.head.b.value[...] = (3, 4), 1000
    y, cache = layer.forward((np.array([[1.0, 2], [5, 6]]), np.array([1, 0])))
    # φ = (1, 4) and (5, 12)
    np.testing.assert_array_equal(y, [[1000 + 3 + 16 + 10 + 80], [1000 + 15 + 48 + 5 + 12]])
    dx = layer.backward(np.array([[1.0], [-1]]), cache)
    np.testing.assert_array_equal(dx, [[3 + 10, 2 * (4 + 20)], [-(3 + 1), -2 * (4 + 1)]])
    np.testing.assert_array_equal(layer.embedding.w.grad, [[-5, -12], [1, 4]])
    np.testing.assert_array_equal(layer.head.w.grad[:, 0], [1 - 5, 4 - 12])


# ---- as parts of a network -------------------------------------------------------------------


@each_critic
def test_every_parameter_gets_a_gradient(make):
    net, x = prepared(make)
    y, cache = net.forward((x, LABELS))
    net.backward(np.ones_like(y), cache)
    assert all(p.grad.any() for p in net.params().values())


@each_critic
def test_without_dx_backward_reaches_all_that_it_reaches_with_dx(make):
    net, x = prepared(make)
    y, cache = net.forward((x, LABELS))
    net.backward(np.ones_like(y), cache)
    wanted = net.grad.copy()
    net.zero_grad()
    net.backward(np.ones_like(y), cache, into_params="only")
    np.testing.assert_array_equal(net.grad, wanted)


def test_without_dx_a_projection_does_not_ask_for_it():
    class Watched(Dense):
        def adjoint(self, dy, in_shape=None):
            raise AssertionError("nobody needs this dx")

    layer = Projection(Watched(2, 3), Embedding(2, 3), Dense(3, 1)).initialize(dtype="float64")
    for net in (layer, Sequential(layer)):
        y, cache = net.forward((np.ones((2, 2)), np.array([0, 1])))
        net.backward(np.ones_like(y), cache, into_params="only")
        assert all(p.grad.any() for p in net.params().values())


@each_critic
@dtypes
def test_the_dtype_follows(make, dtype):
    net, x = prepared(make, dtype)
    y, cache = net.forward((x, LABELS))
    dx = net.backward(np.ones_like(y), cache)
    jt, bend = net.double_backward(x, np.ones_like(y), cache)
    value = gradient_penalty(net, (x, LABELS), wgan_gp())
    assert {a.dtype for a in (y, dx, jt, bend, value, net.grad)} == {np.dtype(dtype)}


@each_critic
def test_labels_matter_and_their_own_dtype_does_not(make):
    net, x = prepared(make)
    wanted, _ = net.forward((x, LABELS))
    for dtype in "uint8", "int32", "uint64":
        np.testing.assert_array_equal(net.forward((x, LABELS.astype(dtype)))[0], wanted)
    assert (net.forward((x, LABELS[::-1]))[0] != wanted)[[0, 1, 3, 4]].all()


def test_the_keys_of_the_parts_and_a_state_that_comes_back():
    net, x = prepared(concat_in_a_network)
    keys = ["0.net.w", "0.net.b", "0.embedding.0.w", "0.embedding.1.w", "0.embedding.1.b"]
    assert list(net.params()) == [*keys, "2.w", "2.b"]
    assert list(projection().params())[-3:] == ["embedding.w", "head.w", "head.b"]
    twin = concat_in_a_network().initialize(9, dtype="float64")
    twin.load_state_dict(net.state_dict())
    for other in (twin, copy.deepcopy(net)):
        np.testing.assert_array_equal(other.forward((x, LABELS))[0], net.forward((x, LABELS))[0])


def test_all_parts_are_told_of_evaluation():
    norms = [BatchNorm(3) for _ in range(4)]
    inner = ConcatLabels(Sequential(Dense(5, 3), norms[0]), Sequential(Embedding(4, 3), norms[1]))
    body = Sequential(Dense(2, 3), norms[2])
    outer = Projection(body, Embedding(4, 3), Sequential(norms[3], Dense(3, 1)))
    x = np.random.default_rng(0).standard_normal((5, 2))
    for net in (inner, outer):
        net.initialize(dtype="float64")
        before = net.state_dict()
        net.forward((x, LABELS), train=False)
        np.testing.assert_equal(net.state_dict(), before)
        net.forward((x, LABELS))
        assert all(norm.running_mean.any() for norm in norms if norm in net.sublayers().values())


@each_critic
def test_an_empty_batch_goes_through(make):
    net, x = prepared(make)
    y, cache = net.forward((x[:0], LABELS[:0]))
    assert y.shape == (0, 1)
    assert net.backward(y, cache).shape == (0, 2, 3)
    assert net.double_backward(x[:0], y, cache)[0].shape == (0, 1)
    assert not net.grad.any()


def test_the_name_of_a_layer_is_how_it_is_made():
    layer = Projection(Tanh(), Embedding(2, 3), Dense(3, 1))
    assert repr(layer) == "Projection(Tanh(), Embedding(2, 3), Dense(3, 1))"
    layer = ConcatLabels(Dense(5, 1), Embedding(2, 3))
    assert repr(layer) == "ConcatLabels(Dense(5, 1), Embedding(2, 3))"


# ---- penalties on the slope ------------------------------------------------------------------


@each_critic
@pytest.mark.parametrize("penalty", [wgan_gp(), r1()], ids=["wgan-gp", "r1"])
def test_the_gradient_of_a_penalty_against_differences(make, penalty):
    net, x = prepared(make)
    pair, h = (x, LABELS), 1e-5
    gradient_penalty(net, pair, penalty)
    found, wanted = net.grad.copy(), np.empty(net.size)
    for i in range(net.size):
        start = net.theta[i]
        values = []
        for step in (h, -h):
            net.theta[i] = start + step
            values.append(gradient_penalty(net, pair, penalty))
        net.theta[i] = start
        wanted[i] = (values[0] - values[1]) / (2 * h)
    assert_close(found, wanted, 1e-6)


def test_a_penalty_bends_the_embedding():
    """<e, φ> makes the slope depend on e, and so does a curved net on what is joined to x."""
    for make, key in ((projection, "embedding.w"), (concat, "embedding.w")):
        net, x = prepared(make)
        gradient_penalty(net, (x, LABELS), r1())
        assert net.params()[key].grad[:3].any(1).all()
        assert not net.params()[key].grad[3].any()


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(3))
@each_critic
@dtypes
def test_first_and_second_order_against_pytorch(reference, make, dtype, seed):
    net = Labelled(make(), LABELS)
    reference.assert_first_order_agrees(net, (5, 2, 3), dtype, seed)
    reference.assert_second_order_agrees(net, (5, 2, 3), dtype, seed)


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(3))
@each_critic
def test_a_gradient_penalty_against_pytorch(torch, reference, make, seed):
    net, x = prepared(make, seed=seed)
    value = gradient_penalty(net, (x, LABELS), wgan_gp())
    twin, x_ = reference.Twin(net), torch.tensor(x, requires_grad=True)
    logits = twin((x_, torch.tensor(LABELS)))
    (g,) = torch.autograd.grad(logits.sum(), x_, create_graph=True)
    wanted = 10 * ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
    _, by_params = twin.grads(wanted)
    assert_close(value, wanted.detach(), 1e-10)
    reference.assert_params_agree(net, by_params, 1e-8, "wgan-gp")


# ---- errors ----------------------------------------------------------------------------------

X = np.zeros((5, 6))
NAME = {ConcatLabels: r"ConcatLabels\(Dense\(8, 1\), Embedding\(4, 2\)\): "}
NAME[Projection] = r"Projection\(Dense\(6, 2\), Embedding\(4, 2\), Dense\(2, 1\)\): "


def small(kind):
    if kind is ConcatLabels:
        return ConcatLabels(Dense(8, 1), Embedding(4, 2))
    return Projection(Dense(6, 2), Embedding(4, 2), Dense(2, 1))


@pytest.mark.parametrize("kind", NAME)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X, r"expected a pair \(x, labels\), got ndarray$"),
        ((X,), r"expected a pair \(x, labels\), got tuple$"),
        ((X, LABELS, LABELS), r"expected a pair \(x, labels\), got tuple$"),
        ([X, LABELS], r"expected a pair \(x, labels\), got list$"),
        (
            (X, LABELS[:4]),
            r"expected one label per sample, got x of shape \(5, 6\) and labels of shape \(4,\)$",
        ),
        ((X, LABELS[:, None]), r"expected one label per sample, .* labels of shape \(5, 1\)$"),
        ((X[0, 0, ...], LABELS), r"expected one label per sample, got x of shape \(\) and"),
    ],
)
def test_what_is_no_pair_of_one_length_is_named(kind, given, message):
    net = small(kind).initialize(dtype="float64")
    with pytest.raises(ShapeError, match="^" + NAME[kind] + ".*" + message):
        net.forward(given)
    with pytest.raises(ShapeError, match="layer 0: " + NAME[kind] + ".*" + message):
        Sequential(net).forward(given)


@pytest.mark.parametrize("kind", NAME)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 2, r"expected labels from 0 to 3, got 2 to 4$"),
        (LABELS - 1, r"expected labels from 0 to 3, got -1 to 1$"),
        (LABELS * 1.0, r"expected integer labels of shape \(N,\), got float64 of shape \(5,\)$"),
        (LABELS > 0, r"expected integer labels of shape \(N,\), got bool of shape \(5,\)$"),
    ],
)
def test_wrong_labels_are_named(kind, labels, message):
    with pytest.raises(ShapeError, match=r"^Embedding\(4, 2\): " + message):
        small(kind).initialize(dtype="float64").forward((X, labels))


@pytest.mark.parametrize("kind", NAME)
def test_the_dtype_and_shape_of_x_are_seen_to(kind):
    net = small(kind).initialize()
    with pytest.raises(ShapeError, match="expected input of dtype float32, got float64"):
        net.forward((X, LABELS))
    with pytest.raises(ShapeError, match=r"expected input of shape \(N, \d\), got \(5, \d+\)"):
        net.forward((np.zeros((5, 9), "float32"), LABELS))
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        net.forward((X.tolist(), LABELS))


@pytest.mark.parametrize(
    ("embedding", "head", "found"),
    [
        (Embedding(4, 1), Dense(2, 1), r"embedding \(5, 1\) and head \(5, 1\)"),
        (Embedding(4, 2), Dense(2, 3), r"embedding \(5, 2\) and head \(5, 3\)"),
    ],
)
def test_parts_of_a_projection_that_do_not_fit(embedding, head, found):
    net = Projection(Dense(6, 2), embedding, head).initialize(dtype="float64")
    message = (
        r"Projection.*: expected shapes \(N, F\), \(N, F\) and \(N, 1\), got features \(5, 2\), "
    )
    with pytest.raises(ShapeError, match=message + found):
        net.forward((X, LABELS))


def test_parts_are_layers():
    with pytest.raises(TypeError, match=r"ConcatLabels: expected Layers, got {'embedding': 3}$"):
        ConcatLabels(Tanh(), 3)
    with pytest.raises(TypeError, match=r"Projection: expected Layers, got {'head': None}$"):
        Projection(Tanh(), Embedding(2, 3), None)
