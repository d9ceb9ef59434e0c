"""Networks that know labels: their input is a pair (x, labels).

Letters: N batch, F features, W width of the embedding; x (N, ...), labels (N,), e the embedding of
the labels. All else is as in any layer, with x for the whole input: backward returns dx, of the
shape of x, and the tangent t of double_backward has that shape, for labels have no gradient and
do not move.
"""

import math

from ..backend import ops_of
from .base import Layer, ShapeError

__all__ = ["ConcatLabels", "Projection"]


class _OfPairs(Layer):
    """What both kinds share."""

    def check_parts(self):
        """Refuse what is no layer: the tree would pass over it in silence."""
        wrong = {name: part for name, part in vars(self).items() if not isinstance(part, Layer)}
        if wrong:
            raise TypeError(f"{type(self).__name__}() given {wrong}, a Layer for each wanted")

    def pair(self, given):
        """The x and labels of a pair; refused, unless there is one label a sample."""
        if not (isinstance(given, tuple) and len(given) == 2):
            raise ShapeError(f"{self}: {type(given).__name__} given, a pair (x, labels) wanted")
        x, labels = given
        ops_of(x), ops_of(labels)  # refuses what is not an array
        if labels.shape != x.shape[:1]:
            given = f"x of shape {x.shape} with labels of shape {labels.shape} given"
            raise ShapeError(f"{self}: {given}, one label a sample wanted")
        return x, labels

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self.parts().values()))})"


class ConcatLabels(_OfPairs):
    """y = net([x, e]): the embedding of the labels is more input. Mirza and Osindero, 2014.

    For a generator, whose x is z, and for a discriminator made of dense layers. Here F is the
    number of numbers of a sample, and [x, e] (N, F + W) is x flattened, then e.

    Parameters
    ----------
    net : Layer
        Takes (N, F + W).
    embedding : Layer
        Takes labels (N,) to e (N, W): an `Embedding`.
    """

    def __init__(self, net, embedding):
        self.net, self.embedding = net, embedding
        self.check_parts()

    def forward(self, x, train=True):
        """x is the pair (x, labels)."""
        x, labels = self.pair(x)
        e, of_labels = self.embedding.forward(labels, train)  # (N, W)
        self.expect(x, *x.shape)  # its dtype: joined to e, a wrong one would not be seen
        y, of_net = self.net.forward(_join(x, e), train)
        return y, (x.shape, e, of_labels, of_net)

    def backward(self, dy, cache, into_params=True):
        """[dx, de] is what net's backward returns; de goes on into the embedding."""
        shape, _, of_labels, of_net = cache
        dx, de = _part(self.net.backward(dy, of_net, bool(into_params)), shape)
        if into_params:
            self.embedding.backward(de, of_labels)
        return dx

    def double_backward(self, t, dy, cache):
        """B = <J_net [t, 0], dy>: e does not move with x.

        But J_net depends on e as it does on x, and so does B: net's dB/d[x, e] is parted and
        handed on as in backward.
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
    """Undo it, for an x of this shape: (N, F + W) -> (N, ...), (N, W)."""
    F = math.prod(shape[1:])
    return joined[:, :F].reshape(shape), joined[:, F:]


class Projection(_OfPairs):
    """y = head(φ) + <e, φ>, φ = body(x): Miyato and Koyama, 2018, equation 3.

    A discriminator whose logit says how real x looks, whatever its class, and how well its
    features φ fit the vector e of its label. φ and e are (N, F), y is (N, 1); the paper writes ψ
    for head and y^T V for e.

        backward        dφ = head^T dy + dy e,   de = dy φ;        dφ goes on into body
        tangent         J t = head t_φ + <e, t_φ>                  with t_φ = body t
        second order    B = <J t, dy>:   dB/dt_φ = dφ of above,   dB/de = dy t_φ

    where head and body stand for their Jacobians. <e, φ> is linear in φ and in e, and does not
    bend: dB/dφ is that of head alone, and None for a `Dense`.

    Parameters
    ----------
    body : Layer
        (N, ...) -> φ (N, F).
    embedding : Layer
        Takes labels (N,) to e (N, F): an `Embedding`.
    head : Layer
        (N, F) -> (N, 1): a `Dense`.
    """

    def __init__(self, body, embedding, head):
        self.body, self.embedding, self.head = body, embedding, head
        self.check_parts()

    def forward(self, x, train=True):
        """x is the pair (x, labels)."""
        x, labels = self.pair(x)
        e, of_labels = self.embedding.forward(labels, train)
        phi, of_body = self.body.forward(x, train)
        y, of_head = self.head.forward(phi, train)
        if phi.shape != e.shape or y.shape != (len(e), 1):  # the sums below would broadcast
            found = f"features {phi.shape}, embedding {e.shape} and head {y.shape} given"
            raise ShapeError(f"{self}: {found}, (N, F), (N, F) and (N, 1) wanted")
        return y + (e * phi).sum(1, keepdims=True), (of_body, of_labels, of_head, phi, e)

    def backward(self, dy, cache, into_params=True):
        """dx = body^T dφ; see the top of the class."""
        of_body, *_ = cache
        return self.body.backward(self._dphi(dy, cache, bool(into_params)), of_body, into_params)

    def _dphi(self, dy, cache, into_params):
        """dφ = head^T dy + dy e; with the gradients of head and embedding on the way."""
        _, of_labels, of_head, phi, e = cache
        if into_params:
            self.embedding.backward(dy * phi, of_labels)  # it was: <e, φ>
        return self.head.backward(dy, of_head, into_params) + dy * e  # (N, F)

    def double_backward(self, t, dy, cache):
        """The tangent goes up through body, then head; what it meets comes down."""
        of_body, of_labels, of_head, _, e = cache
        t, bend = self.body.double_backward(t, self._dphi(dy, cache, False), of_body)  # t_φ (N, F)
        self.embedding.backward(dy * t, of_labels)  # it was: <e, t_φ>
        jt, bend_phi = self.head.double_backward(t, dy, of_head)  # (N, 1)
        if bend_phi is not None:
            through = self.body.backward(bend_phi, of_body)
            bend = through if bend is None else through + bend
        return jt + (e * t).sum(1, keepdims=True), bend
