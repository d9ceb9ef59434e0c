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
LOWEST = -0.9  # floats in [-1, 1] reach below it, as black and nearly black pixels do


def as_images(images: Any, where: object = "images", dark: bool = False) -> np.ndarray:
    """Return images as bytes with the channels last, or refuse what has no clear meaning.

    Parameters
    ----------
    images : array-like
        (N, H, W); (N, H, W, C) or (N, C, H, W) with C from 1 to 4; or (N, k * k), rows of grey
        images. An array, a list of equal arrays, or any object that NumPy can convert.

        ============================ ==================================================
        integers, and whole floats   as they are, where they lie in 0 to 255 and some are
                                     above 16; of uint8 the same memory, if contiguous
        bool                         False becomes 0, True 255
        floats in [0, 1]             ``round(255 x)``
        floats in [-1, 1]            ``round(127.5 (x + 1))``, where some are below -0.9
                                     and the largest is more than 1 above the smallest
        ============================ ==================================================

        Floats from -0.9 may be images in [0, 1] from which 0.5 or their mean was subtracted.
    where : object
        The file or argument, for errors.
    dark : bool
        Take any uint8 for bytes, as those of picture files are, even if none is above 16.

    Returns
    -------
    ndarray of uint8, shape (N, H, W, C)

    Raises
    ------
    DataError
        If two meanings are possible or none; the message says how to choose one.
    """
    array = _channels_last(_to_array(images, where), where)  # (N, H, W, C)
    bytes_already = dark and array.dtype == np.uint8
    convert = None if bytes_already else _conversion(array, where)
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
    if any(map(np.ma.is_masked, value if isinstance(value, Sequence) else [value])):
        cure = f"fill what is masked, as {where}.filled(0), or leave it out"
        raise DataError(f"{where}: expected an array without masked values; {cure}")
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
    if small and any((array[part] > DARK).any() for part in _parts(array)):  # most stop at once
        return None
    low, high = array.min(), array.max()
    if array.dtype == bool:
        return lambda x: 255 * x.astype(np.uint8)
    if floats and 0 <= low <= high <= 1:
        return lambda x: to_uint8(2 * x - 1)
    # Images in [0, 1] minus a mean span at most 1; minus their mean image, they end above LOWEST.
    if floats and -1 <= low < LOWEST and high <= 1 and high - low > 1:
        return to_uint8
    in_bytes = 0 <= low <= high <= 255 and not 0 < high <= DARK
    if in_bytes and all((np.rint(array[part]) == array[part]).all() for part in _parts(array)):
        return lambda x: x.astype(np.uint8)
    wanted = "the bytes 0 to 255, or floats in [0, 1] or [-1, 1]"
    got = f"{array.dtype} from {low} to {high}"
    raise DataError(f"{where}: expected {wanted}, got {got}; {_cure(array.dtype.kind, low, high)}")


def _cure(kind, low, high):
    """Return how to give numbers from low to high a clear meaning."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "NaN and infinity are no colours"
    if low >= 0:
        if kind == "f" and 1 < high <= 1.1:
            return f"np.clip(images, 0, 1) if 1 is white, images / {high} if {high} is"
        top = 255 if high <= 255 else 65535
        other = f", images / {top} if {top} is" if high < top else ""
        return f"images / {high} if {high} is white{other}"
    if kind == "f" and low >= -1.1 and high <= 1.1:
        return (
            "np.clip(images, 0, 1) if 0 is black, np.clip(images + 0.5, 0, 1) if -0.5 is, "
            "np.clip(images / 2 + 0.5, 0, 1) if -1 is"
        )
    if kind == "i" and low == -1 and high == 1:
        return "images.astype(float) if -1 is black and 1 is white"
    if kind == "i" and low >= -128 and high <= 127:
        return "images.astype(int) + 128 if -128 is black and 127 is white"
    return "scale them: (x - x.min()) / np.ptp(x), where x = images.astype(float)"


def _parts(array):
    """Return slices of the first axis, of about `AT_ONCE` numbers each."""
    step = max(1, AT_ONCE // max(1, array[0].size))
    return [slice(i, i + step) for i in range(0, len(array), step)]
