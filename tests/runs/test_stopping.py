"""Signals that ask a run to stop."""

import os
import signal
import threading

import pytest

from scratchgan.runs.stopping import SIGNALS, asked_to_stop


@pytest.mark.parametrize("asked", SIGNALS)
def test_the_first_is_heard_and_the_second_is_as_it_was(asked, ctrl_c):
    before = [signal.getsignal(s) for s in SIGNALS]
    with asked_to_stop() as flag:
        assert not flag
        assert all(signal.getsignal(s) is not b for s, b in zip(SIGNALS, before, strict=True))
        os.kill(os.getpid(), asked)
        assert flag == [asked]
        assert [signal.getsignal(s) for s in SIGNALS] == before
    assert [signal.getsignal(s) for s in SIGNALS] == before


def test_elsewhere_than_in_the_main_thread_nothing_is_heard(ctrl_c):
    before, seen = [signal.getsignal(s) for s in SIGNALS], []

    def run():
        with asked_to_stop() as flag:
            seen.extend([flag, [signal.getsignal(s) for s in SIGNALS]])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [[], before]
