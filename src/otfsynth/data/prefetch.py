"""A background thread that stays a few items ahead of an iterator, in the same order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_END = object()


def prefetched(source: Iterator[T], depth: int) -> Iterator[T]:
    """Items of ``source`` in their order, computed ahead by one thread.

    On a GPU the thread works on a stream of its own, and the consumer's stream waits for each item's event, so that
    synthesis overlaps with training. An exception in the source is raised where its item would have come. The thread
    ends when the source does or when the returned iterator is closed or collected.

    Args:
        source: used by the thread alone from now on.
        depth: items that may wait, at least 1; each keeps its memory.
    """
    items: queue.Queue[tuple[Any, Any]] = queue.Queue(maxsize=depth)
    closed = threading.Event()
    device = torch.cuda.current_device() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    thread = threading.Thread(target=_produce, args=(source, items, closed, device), name="prefetch", daemon=True)
    return _consume(thread, items, closed)


def _produce(
    source: Iterator[Any], items: queue.Queue[tuple[Any, Any]], closed: threading.Event, device: int | None
) -> None:
    try:
        # A new thread starts on GPU 0 whichever one its parent uses.
        stream = torch.cuda.Stream(device) if device is not None else None
        with torch.cuda.stream(stream):
            for item in source:
                _put(items, (item, None if stream is None else stream.record_event()), closed)
                if closed.is_set():
                    return
        _put(items, (_END, None), closed)
    except BaseException as error:  # handed to the consumer, who raises it
        _put(items, (_END, error), closed)


def _put(items: queue.Queue[tuple[Any, Any]], entry: tuple[Any, Any], closed: threading.Event) -> None:
    while not closed.is_set():
        try:
            return items.put(entry, timeout=0.2)
        except queue.Full:
            continue


def _consume(thread: threading.Thread, items: queue.Queue[tuple[Any, Any]], closed: threading.Event) -> Iterator[Any]:
    thread.start()
    try:
        while True:
            item, note = items.get()
            if item is _END:
                if note is not None:
                    raise note
                return
            if note is not None:
                _adopt(item, note)
            yield item
    finally:
        closed.set()
        thread.join(timeout=10)


def _adopt(item: Any, event: torch.cuda.Event) -> None:
    """Make the current stream wait for the item, and keep the allocator from reusing its memory too early."""
    stream = torch.cuda.current_stream()
    stream.wait_event(event)
    for value in vars(item).values():
        if isinstance(value, torch.Tensor) and value.is_cuda:
            value.record_stream(stream)
