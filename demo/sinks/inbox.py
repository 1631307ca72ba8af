"""The messages that arrived, in memory and in `inbox/messages.jsonl`."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from demo.sinks import strict

Kind = Literal["slack", "mail"]


@dataclass(frozen=True)
class Message:
    """One message. `received_at` is in seconds since the epoch; `content` is what `slack` and `mail` make of it."""

    number: int
    kind: Kind
    received_at: float
    content: dict[str, Any]


class Inbox:
    """Keeps the newest `capacity` messages. The file never holds more than twice as many."""

    def __init__(self, file: Path, capacity: int = 500) -> None:
        self._file = file
        self._messages: deque[Message] = deque(maxlen=capacity)
        self._capacity = capacity
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            self._messages.extend(_read(file))
        self._rewrite()

    def add(self, kind: Kind, content: dict[str, Any], received_at: float) -> Message:
        """Keeps a message and returns it. Raises ValueError for content that JSON cannot hold, which is then not kept."""
        message = Message(self._messages[-1].number + 1 if self._messages else 1, kind, received_at, content)
        line = _line(message)
        self._messages.append(message)
        if self._lines >= 2 * self._capacity:
            self._rewrite()
        else:
            with self._file.open("ab") as file:
                file.write(line)
            self._lines += 1
        return message

    def newest_first(self, kind: Kind | None = None, since: float = 0.0) -> list[Message]:
        """Messages received after `since` (seconds since the epoch)."""
        return [m for m in reversed(self._messages) if m.received_at > since and kind in (None, m.kind)]

    @property
    def last_number(self) -> int:
        return self._messages[-1].number if self._messages else 0

    def _rewrite(self) -> None:
        temporary = self._file.with_suffix(".tmp")
        temporary.write_bytes(b"".join(map(_line, self._messages)))
        temporary.replace(self._file)
        self._lines = len(self._messages)


def _line(message: Message) -> bytes:
    return strict.line(asdict(message))


def _read(file: Path) -> list[Message]:
    """Messages of an earlier run. A line that was cut off by a kill, or is no message, is left out."""
    messages = []
    for line in file.read_bytes().split(b"\n"):
        try:
            messages.append(_message(strict.loads(line)))
        except (ValueError, TypeError, OverflowError, OSError):
            continue
    return messages


def _message(data: Any) -> Message:
    """Raises one of several errors when `data` is no message that can be shown."""
    message = Message(**data)
    datetime.fromtimestamp(message.received_at, UTC)
    if not (type(message.number) is int and message.kind in get_args(Kind) and isinstance(message.content, dict)):
        raise TypeError("not a message")
    return message
