"""The user's own images: a folder of pictures of any kind and size, as one uint8 array."""

import hashlib
import os
import queue
import sys
import threading
import weakref
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .base import DataError
from .pictures import MAX_PIXELS, SUFFIXES, decode, find_pictures, lengths_of

MEMORY_BYTES = 2 << 30
# For images that were prefetched and find no room in MEMORY_BYTES.
_AHEAD_BYTES = 256 << 20
_CHUNK = 1024


class ImageFolder:
    """The images of a folder and of all folders in it, as a read-only array (N, H, W, C).

    Taken are PNG, JPEG, WebP and BMP files by their suffix, in the order of their relative
    paths; what is hidden is skipped, links are followed, each folder is entered once. A picture
    is turned as its EXIF data says, cut to the square in its middle and resized. Transparent
    parts become white: what is drawn on no ground is mostly dark. 16-bit grey is scaled to
    8 bits, colours become grey (ITU-R 601) where one channel is wanted, and of an animation the
    first frame is taken.

    Files that are no image, or of more than `MAX_PIXELS` pixels, are left out, and a line on
    stderr names them. Only headers are read for that. Where the pixels prove broken later, the
    next readable image takes the place, always the same one, and a line on stderr says so once.

    Images are decoded by threads when they are asked for or prefetched, and up to `MEMORY_BYTES`
    of them are kept; the others are decoded again each time.

    Parameters
    ----------
    path : path-like
        The folder. Its files must stay as they are.
    size : int
        Height and width of the images.
    channels : {1, 3}
        Grey or RGB.
    workers : int
        Threads that decode, besides the one that waits for an image.

    Attributes
    ----------
    folder : Path
    names : list of str
        The files in order, relative to the folder, with "/" between the parts.
    shape : tuple of int
        ``(N, size, size, channels)``.
    dtype : dtype of uint8

    Raises
    ------
    DataError
        If there is no such folder, or no readable image in it.
    ValueError
        If a parameter is out of range.
    """

    def __init__(
        self, path: str | os.PathLike, size: int = 64, channels: int = 3, workers: int = 2
    ):
        if size < 1 or channels not in (1, 3) or workers < 1:
            raise ValueError(
                f"size {size}, channels {channels} and workers {workers} given; "
                "wanted a size of at least 1, 1 or 3 channels and at least 1 worker"
            )
        self.folder = Path(path).absolute()
        if not self.folder.is_dir():
            raise DataError(f"{path}: no such folder; wanted a folder of images")
        files, bad = find_pictures(self.folder)
        sizes = lengths_of([self.folder / name for name in files], workers)
        bad += [name for name, n in zip(files, sizes, strict=True) if n is None]
        self._sizes = {name: n for name, n in zip(files, sizes, strict=True) if n is not None}
        if not self._sizes:
            found = f"unreadable are {_some(bad)}" if bad else "there is none"
            raise DataError(
                f"{path}: wanted at least one image ({', '.join(SUFFIXES)}) of at most "
                f"{MAX_PIXELS} pixels; {found}"
            )
        if bad:
            print(
                f"scratchgan: {path}: left out {len(bad)} of {len(bad) + len(self._sizes)} files, "
                f"unreadable or of more than {MAX_PIXELS} pixels: {_some(sorted(bad))}",
                file=sys.stderr,
            )
        self.names = list(self._sizes)
        self.shape = (len(self.names), size, size, channels)
        self.dtype = np.dtype(np.uint8)
        self._all = np.arange(len(self.names))
        self._capacity = MEMORY_BYTES // (size * size * channels)
        self._most_ahead = max(1, _AHEAD_BYTES // (size * size * channels))
        # Under the lock: images by index, jobs that nobody has asked for yet, and broken files.
        self._lock = threading.Lock()
        self._kept: dict[int, np.ndarray] = {}
        self._ahead: dict[int, Future] = {}
        self._broken: set[int] = set()
        self._unreported: list[str] = []
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        # The threads hold no reference, so that they end with the last one elsewhere. They are
        # not ThreadPoolExecutor's, which at exit would first decode all that was prefetched.
        for _ in range(workers):
            args = (self._jobs, weakref.ref(self))
            threading.Thread(target=_work, args=args, name="ImageFolder", daemon=True).start()
        weakref.finalize(self, _dismiss, self._jobs, workers)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Give images, having waited for those that are not decoded yet.

        Parameters
        ----------
        key : int, slice or array of int or bool
            Of the first dimension, as of any array.

        Returns
        -------
        ndarray of uint8, shape (..., size, size, channels)
            A copy.

        Raises
        ------
        DataError
            If no image of the folder can be decoded any more.
        IndexError
            If the key goes beyond the first dimension.
        """
        if isinstance(key, tuple):
            raise IndexError(f"{key} given; wanted an index of the first dimension only")
        indices = self._all[key]
        images = np.empty((*indices.shape, *self.shape[1:]), np.uint8)
        flat = images.reshape(-1, *self.shape[1:])
        wanted = indices.ravel().tolist()
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            got = self._get(part)
            for row, i in enumerate(part, start):
                flat[row] = got[i]
        with self._lock:
            names, self._unreported = self._unreported, []
        if names:
            tqdm.write(
                f"scratchgan: {self.folder}: broken, so that the next image takes the place of: "
                f"{_some(sorted(names))}",
                file=sys.stderr,
            )
        return images

    def prefetch(self, indices: Any) -> None:
        """Start to decode images that will be asked for soon; return at once.

        Of what finds no room in memory no more than 256 MiB are decoded ahead; the images that
        were prefetched first and never asked for give way.

        Parameters
        ----------
        indices : int, slice or array of int or bool
        """
        wanted = dict.fromkeys(self._all[indices].ravel().tolist())
        with self._lock:
            room = self._most_ahead + max(0, self._capacity - len(self._kept))
            new = [i for i in wanted if i not in self._kept and i not in self._ahead][:room]
            for i in new:
                self._ahead[i] = self._start(i)
            while len(self._ahead) > room:
                self._ahead.pop(next(iter(self._ahead))).cancel()

    def fingerprint(self) -> str:
        """Tell this data from other data, without decoding it.

        Returns
        -------
        str
            16 hexadecimal digits: of the names and lengths in bytes of the readable files, and
            of `size` and `channels`. A file rewritten in the same length is not noticed.
        """
        digest = hashlib.sha256(repr(self.shape).encode())
        for name, length in self._sizes.items():
            # No name holds a zero byte.
            digest.update(f"{name}\0{length}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    def _get(self, indices: list[int]) -> dict[int, np.ndarray]:
        got = {}
        with self._lock:
            for i in dict.fromkeys(indices):
                if i in self._kept:
                    got[i] = self._kept[i]
                else:  # a job that was ahead is from here on nobody else's
                    got[i] = self._ahead.pop(i, None) or self._start(i)
        # From the end, while the threads come from the front: what they have not begun is done
        # here, so that nothing waits behind what was prefetched.
        for i in reversed(got):
            if isinstance(got[i], Future) and got[i].cancel():
                got[i] = self._load(i)
        return {i: job.result() if isinstance(job, Future) else job for i, job in got.items()}

    def _start(self, i: int) -> Future:
        job = Future()
        self._jobs.put((job, i))
        return job

    def _run(self, job: Future, i: int) -> None:
        if job.set_running_or_notify_cancel():
            try:
                job.set_result(self._load(i))
            # Whatever it is, it is the business of the one who waits.
            except BaseException as error:
                job.set_exception(error)

    def _load(self, i: int) -> np.ndarray:
        """Give image i, or the next one that can be decoded; keep it if there is room."""
        for j in chain(range(i, len(self)), range(i)):
            image = self._kept.get(j)
            if image is None and j not in self._broken:
                try:
                    image = decode(self.folder / self.names[j], *self.shape[2:])
                except MemoryError:  # says nothing about the file
                    raise
                # A damaged file can end in almost any exception.
                except Exception:
                    with self._lock:
                        if j not in self._broken:
                            self._broken.add(j)
                            self._unreported.append(self.names[j])
            if image is not None:
                break
        else:
            raise DataError(
                f"{self.folder}: none of its {len(self)} images can be decoded; wanted at least one"
            )
        with self._lock:
            if len(self._kept) < self._capacity:
                self._kept[i] = image
                self._ahead.pop(i, None)
        return image


def _work(jobs: queue.SimpleQueue, owner: weakref.ref) -> None:
    while (job := jobs.get()) is not None:
        folder = owner()
        if folder is None:
            return
        folder._run(*job)
        del folder, job


def _dismiss(jobs: queue.SimpleQueue, workers: int) -> None:
    for _ in range(workers):
        jobs.put(None)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more
