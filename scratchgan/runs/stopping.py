"""Ctrl-C and SIGTERM end a run between two training steps, never within one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Yield a list that gets the first Ctrl-C or SIGTERM; a second one ends the process.

    The caller looks at the list between two steps, so it saves the state after a complete step. A
    signal that is ignored stays ignored: a shell lets its background jobs ignore Ctrl-C.
    """
    asked: list[int] = []
    before: dict[int, Any] = {}

    def restore():
        for s, handler in before.items():
            signal.signal(s, handler)

    def first(signum, frame):
        asked.append(signum)
        restore()

    if current_thread() is main_thread():  # no other thread may set handlers
        for s in SIGNALS:
            if signal.getsignal(s) not in (signal.SIG_IGN, None):
                before[s] = signal.signal(s, first)
    try:
        yield asked
    finally:
        restore()
