"""Meaning of an array: its numbers become bytes of images, or labels, or an error with a cure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import DataError
from .batches import to_uint8

NUMBERS = "buif"  # the kinds of dtype that are numbers
AT_ONCE = 1 << 22  # numbers converted at a time: bounds the copies in memory
DARK = 16  # whole numbers up to here may be grey levels of 1 to 4 bits as well as bytes


def as_images(images: Any, where: object = "images") -> np.ndarray:
    """Return images as bytes with the channels last, or refuse what has no clear meaning.

    Parameters
    ----------
    images : array-like
        (N, H, W); (N, H, W, C) or (N, C, H, W) with C from 1 to 4; or (N, k * k), rows of grey
        images. An array, a list of equal arrays, or any object that NumPy can convert.

        ============================ ==================================================
        uint8                        as they are; the same memory, if it is contiguous
        bool                         False becomes 0, True 255
        integers, and whole floats   as they are, where they lie in 0 to 255
        floats in [0, 1]             ``round(255 x)``
        floats in [-1, 1]            ``round(127.5 (x + 1))``, where some are below -0.5
        ============================ ==================================================
    where : object
        The file or argument, for errors.

    Returns
    -------
    ndarray of uint8, shape (N, H, W, C)

    Raises
    ------
    DataError
        If two meanings are possible or none; the message says how to choose one.
    """
    array = _channels_last(_to_array(images, where), where)  # (N, H, W, C)
    convert = _conversion(array, where)
    if convert is None:
        return array if array.flags.c_contiguous else np.ascontiguousarray(array)
    out = np.empty(array.shape, np.uint8)
    for part in _parts(array):
        out[part] = convert(array[part])
    return out


def as_labels(labels: Any, count: int, where: object = "labels") -> np.ndarray:
    """Return labels as numbers, or refuse what is no labels.

    Parameters
    ----------
    labels : array-like
        (N,) or (N, 1): whole numbers of any type from 0 to 65535; or (N, K): one 1 a row, the
        rest 0, whose places are the labels.
    count : int
        N, the number of images.
    where : object
        The file or argument, for errors.

    Returns
    -------
    ndarray of uint8, shape (N,)
        uint16 where a label is above 255.

    Raises
    ------
    DataError
        If they are something else, or not as many as the images.
    """
    array = _to_array(labels, where)
    got, numbers = f"{array.dtype} of shape {array.shape}", array.dtype.kind in NUMBERS
    if numbers and array.ndim == 2 and array.shape[1] > 1:
        bits = ((array == 0) | (array == 1)).all()
        array = array.argmax(1) if bits and (array.sum(1) == 1).all() else array
    if numbers and array.shape in ((count,), (count, 1)):
        low, high = array.min().item(), array.max().item()  # float16 does not reach 65535
        if 0 <= low <= high < 1 << 16 and (np.rint(array) == array).all():
            return array.reshape(-1).astype(np.uint8 if high < 256 else np.uint16)
        got += f" from {low} to {high}"
    cure = "" if numbers else "; np.unique(labels, return_inverse=True)[1] numbers names"
    wanted = f"{count} labels, whole numbers of 0 to {(1 << 16) - 1} or rows with a single 1"
    raise DataError(f"{where}: expected {wanted}, got {got}{cure}")


def _to_array(value, where):
    """Return a value as an array of the same memory where that is possible."""
    if isinstance(value, np.memmap):
        return value
    if isinstance(value, Sequence):
        # Of Pillow's pictures NumPy would take the numbers of a palette for shades.
        modes = {x.mode for x in value if hasattr(x, "getpalette")} - {"1", "L", "RGB", "RGBA"}
        if modes:
            cure = "use picture.convert('RGB')"
            raise DataError(f"{where}: expected pictures in grey or RGB, got mode {modes}; {cure}")
    elif not hasattr(value, "__array__"):
        raise DataError(f"{where}: expected an array or a list, got {type(value).__name__}")
    try:
        return np.asarray(value)
    # Other libraries raise what they like, for arrays on a GPU among others.
    except Exception as error:
        raise DataError(
            f"{where}: expected arrays of one shape that NumPy can read: {error}"
        ) from error


def _channels_last(array, where):
    """Return a view (N, H, W, C)."""
    shape, cure = array.shape, ""
    if array.dtype.kind in NUMBERS and array.size:
        if len(shape) == 2:
            side, third = math.isqrt(shape[1]), math.isqrt(shape[1] // 3)
            # As many rows as columns may be one image, not N of them.
            if side > 1 and side**2 == shape[1] != shape[0]:
                return array.reshape(-1, side, side, 1)
            if third > 1 and 3 * third**2 == shape[1]:
                cure = f"; images.reshape(-1, {third}, {third}, 3) if the colours of a pixel are "
                cure += f"neighbours, (-1, 3, {third}, {third}) if not"
        if len(shape) == 3 and not (shape[2] in (1, 3, 4) and shape[2] < shape[1]):
            return array[..., None]
        if len(shape) == 4 and shape[3] <= 4:
            return array
        if len(shape) == 4 and shape[1] <= 4:
            return array.transpose(0, 2, 3, 1)
        if len(shape) in (2, 3) and not cure:
            cure = "; images[None] if it is one image"
    wanted = "images (N, H, W) or (N, H, W, C) with C from 1 to 4"
    wanted = wanted if array.dtype.kind in NUMBERS else "numbers"
    raise DataError(f"{where}: expected {wanted}, got {array.dtype} of shape {shape}{cure}")


def _conversion(array, where):
    """Return the function that makes bytes of the values; None if they are bytes."""
    small, floats = array.dtype == np.uint8, array.dtype.kind == "f"
    if small and any((array[part] > 1).any() for part in _parts(array)):  # most stop at once
        return None
    low, high = array.min(), array.max()
    if array.dtype == bool:
        return lambda x: 255 * x.astype(np.uint8)
    if floats and 0 <= low <= high <= 1:
        return lambda x: to_uint8(2 * x - 1)
    if floats and -1 <= low < -0.5 and high <= 1:
        return to_uint8
    in_bytes = 0 <= low <= high <= 255
    if in_bytes and all((np.rint(array[part]) == array[part]).all() for part in _parts(array)):
        if not 0 < high <= (1 if small else DARK):
            return lambda x: x.astype(np.uint8)
        cure = f"images / {high} if {high} is white"
    elif low >= -0.5 and high <= (1 if low < 0 else 2):
        cure = "np.clip(images, 0, 1) if 0 is black, images + 0.5 if -0.5 is"
    elif in_bytes:
        cure = f"np.rint(images).astype('uint8') if 255 is white, images / {high} if {high} is"
    elif np.isnan(low):
        cure = "NaN is no colour"
    else:
        cure = "scale them, as images / 65535 for 16 bits"
    wanted = "the bytes 0 to 255, or floats in [0, 1] or [-1, 1]"
    raise DataError(f"{where}: expected {wanted}, got {array.dtype} from {low} to {high}; {cure}")


def _parts(array):
    """Return slices of the first axis, of about `AT_ONCE` numbers each."""
    step = max(1, AT_ONCE // max(1, array[0].size))
    return [slice(i, i + step) for i in range(0, len(array), step)]
