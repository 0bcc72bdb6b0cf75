"""Locks that do not outlive the threads which held them."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from chatloom.core.locks import Lock


def test_a_lock_lets_one_in_at_a_time() -> None:
    lock, inside, most = Lock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(2000):
            with lock:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
def test_a_child_finds_a_lock_open_that_another_thread_held() -> None:
    lock, held, done = Lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    if not (child := os.fork()):
        watch = threading.Timer(5, os._exit, (1,))
        watch.daemon = True
        watch.start()
        with lock:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0
