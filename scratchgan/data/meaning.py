"""Meaning of an array: its numbers become bytes of images, or labels, or an error with a cure."""

import math
from typing import Any

import numpy as np

from .base import DataError
from .batches import to_uint8

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
    array = _to_array(images, where)
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: expected numbers, got {array.dtype} of shape {array.shape}")
    array = _channels_last(array, where)  # (N, H, W, C)
    if array.dtype == bool:
        return array.view(np.uint8) * np.uint8(255)
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
    got = f"{array.dtype} of shape {array.shape}"
    if array.dtype.kind in "OSUT":
        cure = "np.unique(labels, return_inverse=True)[1] numbers the names"
        raise DataError(f"{where}: expected numbers, got {got}; {cure}")
    if array.dtype.kind not in "buif" or array.ndim not in (1, 2) or len(array) != count:
        raise DataError(f"{where}: expected {count} labels, one for each image, got {got}")
    if array.ndim == 2 and array.shape[1] != 1:
        if not (((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all()):
            raise DataError(f"{where}: expected (N,), or (N, K) of one 1 a row, got {got}")
        array = array.argmax(1)
    array = array.reshape(-1)
    low, high = array.min(), array.max()
    if not (0 <= low <= high < 1 << 16 and (np.rint(array) == array).all()):
        raise DataError(
            f"{where}: expected whole numbers of 0 to 65535, got {got} from {low} to {high}"
        )
    return array.astype(np.uint8 if high < 256 else np.uint16)


def _to_array(value, where):
    """Return a value as an array; a memory map stays one."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value
    if not isinstance(value, list | tuple) and not hasattr(value, "__array__"):
        raise DataError(f"{where}: expected an array, got {type(value).__name__}")
    modes = {getattr(x, "mode", None) for x in value} if isinstance(value, list | tuple) else set()
    if modes - {None, "1", "L", "LA", "RGB", "RGBA"}:
        cure = "give np.stack([picture.convert('RGB') for picture in pictures])"
        raise DataError(f"{where}: expected pictures in RGB or grey, got modes {modes}; {cure}")
    try:
        return np.asarray(value)
    # For objects of other libraries, on other devices, or of unequal shapes.
    except Exception as error:
        shapes = sorted({str(np.shape(x)) for x in value if hasattr(x, "shape")})[:3]
        got = f"shapes {', '.join(shapes)}" if len(shapes) > 1 else f"{error}"
        raise DataError(f"{where}: expected equal arrays that NumPy can read: {got}") from error


def _channels_last(array, where):
    """Return a view (N, H, W, C)."""
    shape, k = array.shape, math.isqrt(array.shape[-1] if array.ndim == 2 else 0)
    wanted = f"{where}: expected images (N, H, W) or (N, H, W, C) with C from 1 to 4"
    if array.size == 0:
        raise DataError(f"{wanted} and at least one number, got shape {shape}")
    if array.ndim == 2 and k > 1 and k * k == shape[1] != shape[0]:
        return array.reshape(-1, k, k, 1)
    cure = ""
    if array.ndim == 3 and (shape[2] not in (1, 3) or shape[2] >= shape[1]):
        return array[..., None]
    if array.ndim == 4 and shape[3] <= 4:
        return array
    if array.ndim == 4 and shape[1] <= 4:
        return array.transpose(0, 2, 3, 1)
    if array.ndim == 3 or (array.ndim == 2 and k * k == shape[1]):
        cure = "; one image alone becomes a batch by images[None]"
    elif array.ndim == 2 and shape[1] == 3 * (k := math.isqrt(shape[1] // 3)) ** 2 and k > 1:
        cure = f"; rows of colours: images.reshape(-1, {k}, {k}, 3), or (-1, 3, {k}, {k})"
        cure += " if all reds come first"
    raise DataError(f"{wanted}, got shape {shape}{cure}")


def _conversion(array, where):
    """Return the function that makes bytes of the values; None if they are bytes."""
    small, floats = array.dtype == np.uint8, array.dtype.kind == "f"
    if small and any((array[part] > 1).any() for part in _parts(array)):  # most stop at once
        return None
    low, high = array.min(), array.max()
    got = f"{array.dtype} from {low} to {high}"
    if floats and 0 <= low <= high <= 1:
        return lambda x: to_uint8(2 * x - 1)
    if floats and -1 <= low < -0.5 and high <= 1:
        return to_uint8
    bytes_ = 0 <= low <= high <= 255
    if bytes_ and all((np.rint(array[part]) == array[part]).all() for part in _parts(array)):
        if not 0 < high <= (1 if small else DARK):
            return lambda x: x.astype(np.uint8)
        cure = f"images / {high} makes {high} white"
    elif bytes_:
        cure = "np.rint(images).astype('uint8') makes bytes"
    elif -0.5 <= low < 0 and high <= 1:
        cure = (
            "black may be 0: np.clip(images, 0, 1), or -0.5: images + 0.5, or -1: to_uint8(images)"
        )
    elif floats and np.isnan(low):
        cure = "some are NaN, which no picture holds"
    else:
        cure = "scale them, as images / 65535 does for 16 bits"
    wanted = "expected the bytes 0 to 255, or floats in [0, 1] or [-1, 1]"
    raise DataError(f"{where}: {wanted}, got {got}; {cure}")


def _parts(array):
    """Return slices of the first axis, of about `AT_ONCE` numbers each."""
    step = max(1, AT_ONCE // max(1, array[0].size))
    return [slice(i, i + step) for i in range(0, len(array), step)]
