"""Batches of a data set: the order of its images, and the scaling of bytes to [-1, 1]."""

from collections.abc import Mapping, Sized
from typing import Any

import numpy as np


def to_unit(images: np.ndarray) -> np.ndarray:
    """Map bytes to [-1, 1].

    Parameters
    ----------
    images : ndarray of uint8, any shape; also a CuPy array

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

    Every epoch has an order of its own, drawn when its first batch is asked for. The images left
    at its end, fewer than a batch, are dropped.

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
        How many images of the current epoch have been used.
    order : ndarray of int64, shape (N,)
        The order of the current epoch; empty before the first batch.

    Raises
    ------
    ValueError
        If `batch_size` is not between 1 and the number of images.
    """

    def __init__(self, images: Sized, batch_size: int, rng: np.random.Generator):
        if not 1 <= batch_size <= len(images):
            expected = f"1 to {len(images)}, the number of images"
            raise ValueError(f"batch_size: expected {expected}, got {batch_size}")
        self.count = len(images)
        self.batch_size = batch_size
        self.rng = rng
        self.epoch = self.position = 0
        self.order = np.empty(0, np.int64)

    def next(self) -> np.ndarray:
        """Return the indices of the next batch.

        Returns
        -------
        ndarray of int64, shape (batch_size,)
            A copy.
        """
        if self.position + self.batch_size > len(self.order):
            self.order = self.rng.permutation(self.count)
            self.position = 0
            self.epoch += 1
        self.position += self.batch_size
        return self.order[self.position - self.batch_size : self.position].copy()

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`, without the state of the random generator.

        Returns
        -------
        dict
            `epoch` and `position` (int) and `order` (ndarray of int64, a copy).
        """
        return {"epoch": self.epoch, "position": self.position, "order": self.order.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to the position in the data at which `state` was called.

        Parameters
        ----------
        state : mapping
            Returned by `state`, for a data set of the same size.

        Raises
        ------
        ValueError
            If the state belongs to another data set, or is damaged; nothing is changed then.
        """
        epoch, position = int(state["epoch"]), int(state["position"])
        order = np.array(state["order"], np.int64)
        indices = np.arange(self.count if epoch else 0)  # before the first batch there is no order
        whole = np.array_equal(np.sort(order), indices)
        if not (epoch >= 0 and 0 <= position <= len(order) and whole):
            expected = f"one for a data set of {self.count} images"
            got = f"epoch {epoch}, position {position} and {order.size} indices"
            raise ValueError(f"state of the batches: expected {expected}, got {got}")
        self.epoch, self.position, self.order = epoch, position, order
