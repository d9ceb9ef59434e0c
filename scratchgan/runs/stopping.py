"""Ctrl-C, and the signal that ends a background job, without cutting a training step in two."""

import signal
from contextlib import contextmanager
from threading import current_thread, main_thread

__all__ = ["asked_to_stop"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def asked_to_stop():
    """Within, the first Ctrl-C or SIGTERM makes the yielded list true, and the second one ends all.

    So a step is never cut in two, and what is saved is a state that really was. A signal that is
    ignored stays so: a shell has its background jobs ignore Ctrl-C.
    """
    flag, before = [], {s: signal.getsignal(s) for s in SIGNALS}
    main = current_thread() is main_thread()  # signals arrive nowhere else
    heard = [s for s in SIGNALS if main and before[s] not in (signal.SIG_IGN, None)]

    def as_before():
        for s in heard:
            signal.signal(s, before[s])

    def handler(signum, frame):
        flag.append(signum)
        as_before()

    for s in heard:
        signal.signal(s, handler)
    try:
        yield flag
    finally:
        as_before()
