"""Connecting to a Ray cluster, an existing one or a small one of our own: quietly, and within a bounded time."""

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

from labeling.batch.safe_spawn import safe_library_path
from labeling.errors import LabelingError, MissingDependency

OBJECT_STORE = 100 << 20
"""Bytes of the object store of a cluster of our own. It carries names and results, no pixels."""

CONNECT_TIMEOUT = 5.0
"""Seconds in which the head of a cluster must answer. Ray itself would try for a quarter of an hour."""

_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How an HTTP/2 connection, and so gRPC, begins: the preface and an empty SETTINGS frame (RFC 9113, 3.4)."""


def connect(address: str | None, size: int) -> tuple[Any, bool]:
    """Connect to a cluster.

    Args:
        address: The cluster's address, or ``auto`` for the one of this machine (default: ``RAY_ADDRESS``). Without
            one, a cluster is started here, and ends with the run.
        size: Processors of a cluster that is started here.

    Returns:
        The ``ray`` module, and whether the connection is ours to end.

    Raises:
        MissingDependency: Ray is not installed.
        LabelingError: The cluster cannot be reached.
    """
    loaded: Any = sys.modules.get("ray")
    if loaded is not None and loaded.is_initialized():  # the calling program has its own cluster
        return loaded, False
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        _make_private()
    try:
        import ray
    except ImportError:
        raise MissingDependency("`engine=\"ray\"` needs Ray: pip install 'aigc-labeling[ray]'") from None
    if address == "auto":
        with contextlib.suppress(Exception):  # if it is not found, init reports it
            from ray._private.services import canonicalize_bootstrap_address

            address = canonicalize_bootstrap_address("auto") or address
    options: dict[str, Any] = {"address": address, "job_config": _job_config()}
    if address == "local":
        options |= {"num_cpus": size, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    else:
        _check_reachable(address)
    try:
        with _keep_signal_handlers(), safe_library_path():
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of many kinds, all with the same meaning
        raise _unreachable(address, error) from error
    _print_events(ray, wanted=False)
    return ray, True


def disconnect(ray: Any) -> None:
    """End a connection that :func:`connect` has made, and the cluster that it has started."""
    ray.shutdown()
    _print_events(ray, wanted=True)


def _print_events(ray: Any, *, wanted: bool) -> None:
    """Set whether Ray prints what happens on the cluster.

    It would print a paragraph for each worker and node that dies, on standard output and whatever ``log_to_driver`` is.
    The pool hears of them itself, and says what follows for the run. There is no public setting, and no harm without.
    """
    with contextlib.suppress(AttributeError):
        if isinstance(ray._private.worker._worker_logs_enabled, bool):
            ray._private.worker._worker_logs_enabled = wanted


def head_address(ray: Any) -> str:
    """Return where the head of the cluster can be asked whether it lives; nothing if it cannot, as behind ``ray://``."""
    address = str(ray.get_runtime_context().gcs_address)
    return address if head_answers(address) else ""


def head_answers(address: str) -> bool:
    """Return whether the head of the cluster accepts connections. Without it, Ray would end the process in a minute.

    Args:
        address: What :func:`head_address` has returned. If that is nothing, the head is taken to live.
    """
    if not address:
        return True
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT):
            return True
    except OSError:
        return False


def _job_config() -> Any:
    """Return a job's configuration that gives workers no folder to import from that this process does not have itself.

    Ray puts the current folder first on the path of every worker: modules among the files of a run would be run.
    """
    from ray.job_config import JobConfig

    class OwnPath(JobConfig):
        def _serialize(self) -> str:
            own = {os.path.abspath(folder) for folder in sys.path}  # noqa: PTH100 - "" is the current folder
            self._py_driver_sys_path = [folder for folder in self._py_driver_sys_path if folder in own]
            return super()._serialize()

    return OwnPath()


def _make_private() -> None:
    """Let a cluster of our own send no usage statistics and require a token: its ports are open to the network.

    These are settings of the process, read when Ray is imported, and inherited by all processes of the cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _check_reachable(address: str) -> None:
    """Check that a gRPC server answers at the address. Raises :class:`LabelingError`."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit() or os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT) as connection:
            connection.sendall(_HTTP2_PREFACE)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None
    if answer[3:4] != b"\x04":
        raise _unreachable(address, ConnectionError("what answers there is not a Ray cluster"))


def _unreachable(address: str, error: Exception) -> LabelingError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
    subject = "of this machine cannot start" if address == "local" else f"{address} cannot be reached"
    return LabelingError(f"the Ray cluster {subject} ({reason})", hint='see `ray_address`, or use `engine="local"`')


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces: the run decides what the signal means."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(TypeError):  # the handler was not set by Python
                signal.signal(signal.SIGTERM, before)
