"""Messages between a process and its child: a length, then JSON; behind it, if it says so, a file's bytes."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, BinaryIO

MAX_MESSAGE = 64 << 20
"""Bytes of a message. A longer one is no answer to anything."""

_HEAD = 4
_PART = 1 << 20

Message = dict[str, Any]


class NoMessage(Exception):
    """What came is not a message: nothing more is read from there."""


def encoded(message: Message) -> bytes:
    """Return a message as bytes, lone surrogates in names included. Raises :class:`NoMessage` if it is too long."""
    body = json.dumps(message).encode("ascii")
    if len(body) > MAX_MESSAGE:
        raise NoMessage(f"more than {MAX_MESSAGE >> 20} MiB")
    return len(body).to_bytes(_HEAD, "big") + body


def decoded(body: bytes) -> Message:
    """Return the message in bytes from a stranger. Raises :class:`NoMessage`."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError, MemoryError) as error:
        raise NoMessage("not JSON") from error
    if not isinstance(message, dict):
        raise NoMessage("no object")
    return message


def _length(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if length > MAX_MESSAGE:
        raise NoMessage(f"more than {MAX_MESSAGE >> 20} MiB")
    return length


def send(connection: socket.socket, parts: list[bytes], deadline: float) -> None:
    """Send bytes. Raises :class:`TimeoutError` at the deadline (monotonic clock), :class:`OSError` if nobody reads."""
    for part in parts:
        view = memoryview(part)
        while view:
            connection.settimeout(_left(deadline))
            view = view[connection.send(view[:_PART]) :]


def receive(connection: socket.socket, deadline: float) -> Message | None:
    """Wait for a message from a stranger.

    Returns:
        The message; ``None`` if the other end is closed.

    Raises:
        NoMessage: What came is none.
        TimeoutError: It is not there by the deadline (monotonic clock).
        OSError: The connection broke.
    """
    head = _exactly(connection, _HEAD, deadline)
    body = None if head is None else _exactly(connection, _length(head), deadline)
    return None if body is None else decoded(body)


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        connection.settimeout(_left(deadline))
        part = connection.recv(min(_PART, count - len(found)))
        if not part:
            return None
        found += part
    return bytes(found)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def read_request(stream: BinaryIO) -> tuple[Message, bytes | None] | None:
    """Read a request of the parent, and the bytes behind it; ``None`` if the parent is gone."""
    head = stream.read(_HEAD)
    body = stream.read(_length(head)) if len(head) == _HEAD else b""
    if not body:
        return None
    request = decoded(body)
    size = request.pop("payload", None)
    return request, None if size is None else stream.read(size)
