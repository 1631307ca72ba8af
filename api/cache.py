"""Answers that may be given again: each question is asked once at a time, and not again until its answer is too old."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Kept(Generic[_T]):
    """`until` is when it is too old, by the clock of the cache."""

    value: _T
    until: float


class Cache(Generic[_T]):
    """Keeps what was asked for last, together no heavier than `most` by `weight`. `clock` gives seconds."""

    def __init__(self, most: int, weight: Callable[[_T], int], clock: Callable[[], float]) -> None:
        self._most, self._weight, self._clock = most, weight, clock
        self._kept: OrderedDict[Hashable, Kept[_T]] = OrderedDict()
        self._held = 0
        self._asked: dict[Hashable, asyncio.Task[Kept[_T]]] = {}

    async def get(self, key: Hashable, seconds: float, ask: Callable[[], Awaitable[_T]]) -> Kept[_T]:
        """The answer that is kept, or that of `ask`. Who asks the same meanwhile waits for the same answer, or its failure;
        that one of them goes away ends it for nobody else."""
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock():
            self._kept.move_to_end(key)
            return kept
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._fill(key, seconds, ask))
            task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _fill(self, key: Hashable, seconds: float, ask: Callable[[], Awaitable[_T]]) -> Kept[_T]:
        try:
            kept = Kept(await ask(), self._clock() + seconds)
        finally:
            del self._asked[key]
        if (before := self._kept.pop(key, None)) is not None:
            self._held -= self._weight(before.value)
        self._kept[key] = kept
        self._held += self._weight(kept.value)
        while self._held > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._held -= self._weight(oldest.value)
        return kept


def _seen(task: asyncio.Task[Kept[_T]]) -> None:
    """A failure that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()
