"""Working ahead: what comes next is prepared while what has come is used."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item], *, waiting: int = 2) -> Iterator[Item]:
    """The same items in the same order, prepared in a thread of their own, at most `waiting` early."""
    ready: Queue[tuple[Item | None, BaseException | None]] = Queue(waiting)
    unwanted = Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not unwanted.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                return
            except Full:
                continue

    def prepare() -> None:
        try:
            for item in items:
                put(item)
                if unwanted.is_set():
                    return
            put(None)
        except BaseException as error:  # told to the one who asked, not to this thread
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
        unwanted.set()
        thread.join()
