"""Batches of a data set: which images come next, and their values as a network wants them."""

from collections.abc import Mapping, Sized
from typing import Any

import numpy as np


def to_unit(images: np.ndarray) -> np.ndarray:
    """Map bytes to [-1, 1].

    Parameters
    ----------
    images : ndarray of uint8, any shape; also one of CuPy

    Returns
    -------
    ndarray of float32, same shape
        ``images / 127.5 - 1``.
    """
    x = images / np.float32(127.5)
    x -= 1
    return x


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Map [-1, 1] to bytes; the inverse of `to_unit`.

    Parameters
    ----------
    x : ndarray of floats, any shape
        Values outside [-1, 1] are clipped.

    Returns
    -------
    ndarray of uint8, same shape
        The nearest bytes.
    """
    return np.rint((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)


class Batches:
    """An endless sequence of shuffled index batches over a data set.

    Every epoch has an order of its own, drawn when its first batch is asked for; what is left at
    its end and fills no batch is dropped.

    Parameters
    ----------
    images : sized
        The data set; only its length is used.
    batch_size : int
    rng : numpy.random.Generator
        Draws the orders. It belongs to the caller, who also saves its state.

    Attributes
    ----------
    epoch : int
        The current pass over the data, counted from 1; 0 before the first batch.
    position : int
        How many images of the current epoch were given out.
    order : ndarray of int64, shape (N,)
        The order of the current epoch; empty before the first batch.

    Raises
    ------
    ValueError
        If `batch_size` is not between 1 and the number of images.
    """

    def __init__(self, images: Sized, batch_size: int, rng: np.random.Generator):
        if not 1 <= batch_size <= len(images):
            raise ValueError(
                f"batch_size is {batch_size}; wanted 1 to {len(images)}, the number of images"
            )
        self.count = len(images)
        self.batch_size = batch_size
        self.rng = rng
        self.epoch = 0
        self.position = 0
        self.order = np.empty(0, np.int64)

    def next(self) -> np.ndarray:
        """Give the indices of the next batch.

        Returns
        -------
        ndarray of int64, shape (batch_size,)
            Its own copy.
        """
        if self.position + self.batch_size > len(self.order):
            self.order = self.rng.permutation(self.count)
            self.position = 0
            self.epoch += 1
        self.position += self.batch_size
        return self.order[self.position - self.batch_size : self.position].copy()

    def upcoming(self, batches: int) -> np.ndarray:
        """Tell the indices of the batches to come, as far as they are known.

        Parameters
        ----------
        batches : int
            How many at most. Beyond the end of the epoch none are known yet.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        known = (len(self.order) - self.position) // self.batch_size
        return self.order[self.position :][: min(batches, known) * self.batch_size].copy()

    def state(self) -> dict[str, Any]:
        """Give all that `restore` needs, besides the generator's own state.

        Returns
        -------
        dict
            `epoch` and `position` (int) and `order` (ndarray of int64, a copy).
        """
        return {"epoch": self.epoch, "position": self.position, "order": self.order.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken.

        Parameters
        ----------
        state : mapping
            What `state` gave, for a data set of the same length.

        Raises
        ------
        ValueError
            If the state is of another data set, or damaged; nothing is changed then.
        """
        epoch, position = int(state["epoch"]), int(state["position"])
        order = np.array(state["order"], np.int64)
        # Before the first batch there is no order yet.
        wanted = np.arange(self.count if epoch else 0)
        if not (
            epoch >= 0 and 0 <= position <= len(order) and np.array_equal(np.sort(order), wanted)
        ):
            raise ValueError(
                f"state of epoch {epoch}, position {position} and {order.size} indices; "
                f"wanted one of a data set of {self.count} images"
            )
        self.epoch, self.position, self.order = epoch, position, order
