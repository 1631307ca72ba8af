"""Prometheus' remote write, version 1.0, as bytes: the message `WriteRequest` of protobuf, in Snappy's block format.

The format of messages is that of https://protobuf.dev/programming-guides/encoding; of Snappy's elements only the literal is
used, which says "what follows, as it is": nothing is gained by packing what goes from one process of a machine to the next.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import add

from provisioning.rules.built import Labels

Series = tuple[str, Labels, Sequence[tuple[float, float]]]
"""Name, other labels, and samples as (seconds since the epoch, value) in order of time."""

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The value that ends a series: from its moment on, Prometheus finds nothing."""

_LONGEST_LITERAL = 65536


def write_request(series: Iterable[Series]) -> bytes:
    """The body of one remote write."""
    return body(time_series(name, labels, encoded(samples)) for name, labels, samples in series)


def body(series: Iterable[bytes]) -> bytes:
    """The body of one remote write, of series that are bytes already."""
    return _snappy(b"".join(_field(1, one) for one in series))


def time_series(name: str, labels: Labels, samples: bytes) -> bytes:
    """One series with its samples, as `encoded` gives them."""
    return _labels(name, labels) + samples


@lru_cache(maxsize=65536)
def _labels(name: str, labels: Labels) -> bytes:
    """The same series come with every block."""
    pairs = sorted((*labels, ("__name__", name)))
    return b"".join(_field(1, _field(1, key.encode()) + _field(2, value.encode())) for key, value in pairs)


def encoded(samples: Iterable[tuple[float, float]]) -> bytes:
    """Samples as (seconds since the epoch, value)."""
    return b"".join([_sample(at, value) for at, value in samples])


class Moments:
    """Samples of many series at the same moments (seconds since the epoch): what stands around the values is made once."""

    def __init__(self, times: Sequence[float]) -> None:
        begins, ends = zip(*map(_moment, times), strict=True) if times else ((), ())
        self._begins = begins
        self._between = [*map(add, ends[:-1], begins[1:]), *ends[-1:]]
        """What stands behind each value, up to the next one."""

    def encoded(self, values: Sequence[float]) -> bytes:
        """A series' samples. The last value belongs to the last moment, the one before to the moment before, and so on."""
        if not values:
            return b""
        first = len(self._begins) - len(values)
        around = [self._begins[first], *self._between[first:]]
        if values.count(values[0]) == len(values):
            return struct.pack("<d", values[0]).join(around)
        packed = struct.pack(f"<{len(values)}d", *values)
        parts = [b""] * (2 * len(values) + 1)
        parts[0::2] = around
        parts[1::2] = [packed[place : place + 8] for place in range(0, len(packed), 8)]
        return b"".join(parts)


def _sample(at: float, value: float) -> bytes:
    begin, end = _moment(at)
    return begin + struct.pack("<d", value) + end


@lru_cache(maxsize=32768)
def _moment(at: float) -> tuple[bytes, bytes]:
    """What stands before and after the value in the field of a sample. All series have their samples at the same moments."""
    milliseconds = b"\x10" + _varint(round(at * 1000))
    return b"\x12" + _varint(9 + len(milliseconds)) + b"\x09", milliseconds


def _field(number: int, content: bytes) -> bytes:
    """A field of variable length."""
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _snappy(content: bytes) -> bytes:
    parts = [_varint(len(content))]
    for begin in range(0, len(content), _LONGEST_LITERAL):
        literal = content[begin : begin + _LONGEST_LITERAL]
        # 61 stands for: the length less one follows in two bytes.
        parts += [bytes((61 << 2,)), struct.pack("<H", len(literal) - 1), literal]
    return b"".join(parts)
