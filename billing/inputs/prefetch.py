"""Prefetching: the next items are prepared in a thread while the current one is used."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterator[Item], *, limit: int = 2) -> Iterator[Item]:
    """The same items in the same order, prepared in a thread of their own, at most `limit` in advance."""
    ready: Queue[tuple[Item | None, BaseException | None]] = Queue(limit)
    stopped = Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                return
            except Full:
                continue

    def prepare() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # raised again in the thread that uses the items
            put(None, error)

    thread = Thread(target=prepare, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
