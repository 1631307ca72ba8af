"""One line of key=value pairs for each event, on standard error. Secrets never reach a logger."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOG = logging.getLogger("observatory.exporter")

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/+%@,")


def pairs(**fields: object) -> dict[str, dict[str, object]]:
    """The `extra` of a log call that carries `fields`."""
    return {"pairs": fields}


def quoted(value: object) -> str:
    """A value as it stands behind `key=`: bare when it is one plain word, else as a JSON string."""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)


class KeyValueFormatter(logging.Formatter):
    """`time=… level=… event="…" key=value …`; an exception becomes its type and the place where it was raised."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields: dict[str, object] = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        fields.update(getattr(record, "pairs", {}))
        if record.exc_info and record.exc_info[0]:
            place = record.exc_info[2]
            while place and place.tb_next:
                place = place.tb_next
            fields["exception"] = record.exc_info[0].__name__
            if place:
                fields["at"] = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}"
        return " ".join(f"{key}={quoted(value)}" for key, value in fields.items())


def to_standard_error(level: int = logging.INFO) -> None:
    """Sends our events, and what asyncio complains of, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    for logger, lowest in ((LOG, level), (logging.getLogger("asyncio"), logging.WARNING)):
        logger.handlers = [handler]
        logger.setLevel(lowest)
        logger.propagate = False
