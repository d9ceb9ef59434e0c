"""Networks that take labels: their input is a pair (x, labels).

Letters: N batch, F features, W width of the embedding; x (N, ...), labels (N,), e the embedding of
the labels. Labels are not continuous, so they have no gradient: backward returns dx alone, and the
tangent t of double_backward moves x alone. Both have the shape of x.
"""

import math

from ..backend import ops_of
from .base import Layer, only_params, skips_dx


class _WithLabels(Layer):
    """Base class: checks the parts and the input of both layers below."""

    def __init__(self, **parts: Layer):
        # The parameters of a part that is no Layer would be left out, without an error.
        wrong = {name: part for name, part in parts.items() if not isinstance(part, Layer)}
        if wrong:
            raise TypeError(f"{type(self).__name__}: expected Layers, got {wrong}")
        vars(self).update(parts)

    def pair(self, given):
        """Return x and labels; raise ShapeError unless there is one label for each sample."""
        if not (isinstance(given, tuple) and len(given) == 2):
            self.refuse("a pair (x, labels)", type(given).__name__)
        x, labels = given
        ops_of(x), ops_of(labels)  # raises TypeError where one is no array
        if labels.shape != x.shape[:1]:
            found = f"x of shape {x.shape} and labels of shape {labels.shape}"
            self.refuse("one label per sample", found)
        return x, labels


class ConcatLabels(_WithLabels):
    """y = net([x, e]): the embedding of the labels is extra input. Mirza and Osindero, 2014.

    Use it for a generator, whose x is z, or a discriminator made of dense layers. Here F is the
    number of numbers in a sample, and [x, e] (N, F + W) is x flattened, then e.

    Parameters
    ----------
    net : Layer
        Takes (N, F + W).
    embedding : Layer
        Takes labels (N,) to e (N, W): an `Embedding`.
    """

    shown = ("net", "embedding")

    def __init__(self, net: Layer, embedding: Layer):
        super().__init__(net=net, embedding=embedding)

    def forward(self, x, train=True):
        """y = net([x, e]); x is the pair (x, labels)."""
        x, labels = self.pair(x)
        e, of_labels = self.embedding.forward(labels, train)  # (N, W)
        self.expect(x, *x.shape)  # checks the dtype: a wrong one would be hidden by the join
        y, of_net = self.net.forward(_join(x, e), train)
        return y, (x.shape, e, of_labels, of_net)

    def backward(self, dy, cache, into_params=True):
        """[dx, de] = J_net^T dy; de goes on into the embedding."""
        shape, _, of_labels, of_net = cache
        joined = self.net.backward(dy, of_net, bool(into_params))  # never "only": de is needed
        dx, de = _part(joined, shape)
        if into_params:
            self.embedding.backward(de, of_labels)
        return dx

    def double_backward(self, t, dy, cache):
        """B = <J_net [t, 0], dy>: e does not move with x.

        J_net depends on e as it does on x, and so does B: both parts of net's dB/d[x, e] are used,
        as in backward.
        """
        shape, e, of_labels, of_net = cache
        t = _join(t, ops_of(e).xp.zeros_like(e))  # (N, F + W)
        jt, bend = self.net.double_backward(t, dy, of_net)
        if bend is None:
            return jt, None
        bend, de = _part(bend, shape)
        self.embedding.backward(de, of_labels)
        return jt, bend


def _join(x, e):
    """[x, e]: (N, ...), (N, W) -> (N, F + W)."""
    flat = x.reshape(len(x), math.prod(x.shape[1:]))  # (N, F)
    return ops_of(x).xp.concatenate([flat, e], 1)


def _part(joined, shape):
    """Undo `_join`, for an x of this shape: (N, F + W) -> (N, ...), (N, W)."""
    F = math.prod(shape[1:])
    return joined[:, :F].reshape(shape), joined[:, F:]


class Projection(_WithLabels):
    """y = head(φ) + <e, φ>, φ = body(x): Miyato and Koyama, 2018, equation 3.

    A discriminator. The first term of its logit says how real x looks, whatever its class; the
    second how well its features φ match the vector e of its label. φ and e are (N, F), y is (N, 1);
    the paper writes ψ for head and y^T V for e.

        backward        dφ = head^T dy + dy e,   de = dy φ;        dφ goes on into body
        tangent         J t = head t_φ + <e, t_φ>                  with t_φ = body t
        second order    B = <J t, dy>:   dB/dt_φ = dφ as above,   dB/de = dy t_φ

    where head and body mean their Jacobians. <e, φ> is linear in φ and in e, so it adds
    nothing to dB/dφ: that comes from head alone, and is None for a `Dense`.

    Parameters
    ----------
    body : Layer
        (N, ...) -> φ (N, F).
    embedding : Layer
        Takes labels (N,) to e (N, F): an `Embedding`.
    head : Layer
        (N, F) -> (N, 1): a `Dense`.
    """

    shown = ("body", "embedding", "head")

    def __init__(self, body: Layer, embedding: Layer, head: Layer):
        super().__init__(body=body, embedding=embedding, head=head)

    def forward(self, x, train=True):
        """y = head(φ) + <e, φ>; x is the pair (x, labels)."""
        x, labels = self.pair(x)
        e, of_labels = self.embedding.forward(labels, train)
        phi, of_body = self.body.forward(x, train)
        y, of_head = self.head.forward(phi, train)
        if phi.shape != e.shape or y.shape != (len(e), 1):  # the sums below would broadcast
            found = f"features {phi.shape}, embedding {e.shape} and head {y.shape}"
            self.refuse("shapes (N, F), (N, F) and (N, 1)", found)
        return y + (e * phi).sum(1, keepdims=True), (of_body, of_labels, of_head, phi, e)

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        """dx = body^T dφ, with dφ = head^T dy + dy e."""
        of_body, *_ = cache
        wanted = only_params(self.body) if into_params == "only" else into_params
        return self.body.backward(self._dphi(dy, cache, bool(into_params)), of_body, wanted)

    def _dphi(self, dy, cache, into_params):
        """dφ = head^T dy + dy e; if into_params, add the gradients of head and embedding, too."""
        _, of_labels, of_head, phi, e = cache
        if into_params:
            self.embedding.backward(dy * phi, of_labels)  # for in forward it was: <e, φ>
        return self.head.backward(dy, of_head, into_params) + dy * e  # (N, F)

    def double_backward(self, t, dy, cache):
        """B = <J t, dy>: the tangent goes up through body, then head; gradients of B come down."""
        of_body, of_labels, of_head, _, e = cache
        t, bend = self.body.double_backward(t, self._dphi(dy, cache, False), of_body)  # t_φ (N, F)
        self.embedding.backward(dy * t, of_labels)  # for in J t it was: <e, t_φ>
        jt, bend_phi = self.head.double_backward(t, dy, of_head)  # (N, 1)
        if bend_phi is not None:
            through = self.body.backward(bend_phi, of_body)
            bend = through if bend is None else through + bend
        return jt + (e * t).sum(1, keepdims=True), bend
