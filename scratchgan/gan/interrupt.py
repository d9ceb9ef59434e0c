"""Ctrl-C, without cutting a training step in two."""

import signal
from contextlib import contextmanager
from threading import current_thread, main_thread

__all__ = ["ctrl_c_raises_a_flag"]


@contextmanager
def ctrl_c_raises_a_flag():
    """Within, the first Ctrl-C makes the yielded list true, and the second one interrupts.

    So a step is never cut in two, and what is saved is a state that really was.
    """
    flag, before = [], signal.getsignal(signal.SIGINT)

    def handler(signum, frame):
        flag.append(signum)
        signal.signal(signal.SIGINT, before)

    # A shell has its background jobs ignore Ctrl-C, and signals arrive in the main thread alone.
    heard = before is not signal.SIG_IGN and current_thread() is main_thread()
    if heard:
        signal.signal(signal.SIGINT, handler)
    try:
        yield flag
    finally:
        if heard:
            signal.signal(signal.SIGINT, before)
