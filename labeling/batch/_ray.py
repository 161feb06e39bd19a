"""Coming to a Ray cluster: one that is there, or a small one of our own; quietly, and within a bounded time."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labeling.errors import LabelingError, MissingDependency

STORE = 100 << 20
"""Bytes of the object store of a cluster of our own: names and results go through it, and no pixels."""

REACH = 5.0
"""Seconds in which the head of a cluster must answer. Ray itself would try for a quarter of an hour."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How an HTTP/2 connection, and so gRPC, begins: the preface and an empty SETTINGS frame (RFC 9113, 3.4)."""


def connect(address: str | None, size: int) -> tuple[Any, bool]:
    """Ray, connected, and whether the connection is ours to end.

    ``address`` (or else ``RAY_ADDRESS``) is a cluster's, or ``auto`` for the one of this machine; without one, a
    cluster of ``size`` processors begins here and ends with the run.
    Raises :class:`MissingDependency` without Ray, :class:`LabelingError` if the cluster cannot be reached.
    """
    loaded: Any = sys.modules.get("ray")
    if loaded is not None and loaded.is_initialized():  # the calling program has its own cluster
        return loaded, False
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        _keep_to_ourselves()
    try:
        import ray
    except ImportError:
        raise MissingDependency("--engine ray needs Ray: pip install 'aigc-labeling[ray]'") from None
    if address == "auto":
        with contextlib.suppress(Exception):  # what cannot be found, init complains of
            from ray._private.services import canonicalize_bootstrap_address

            address = canonicalize_bootstrap_address("auto") or address
    options: dict[str, Any] = {"address": address}
    if address == "local":
        options |= {"num_cpus": size, "include_dashboard": False, "object_store_memory": STORE}
    else:
        _reach(address)
    try:
        with _own_signals():
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of many kinds, and all mean the same
        raise _unreachable(address, error) from error
    return ray, True


def _keep_to_ourselves() -> None:
    """A cluster of our own tells nobody of itself, and obeys nobody else: its ports are open to the network.

    These are settings of the process, read when Ray is loaded, and inherited by all that belongs to the cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _reach(address: str) -> None:
    """Find out whether there is a gRPC server. Raises :class:`LabelingError`."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit() or os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), REACH) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None
    if answer[3:4] != b"\x04":
        raise _unreachable(address, ConnectionError("what answers there is no Ray cluster"))


def _unreachable(address: str, error: Exception) -> LabelingError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
    where = "of this machine cannot begin" if address == "local" else f"{address} cannot be reached"
    return LabelingError(f"the Ray cluster {where} ({reason}); see --ray-address, or take --engine local")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; here the run decides what it means."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(TypeError):  # it was not set by Python
                signal.signal(signal.SIGTERM, before)
