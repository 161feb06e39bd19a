"""An S3-speaking server on loopback (moto's), behind a middleman who counts requests and spoils some on demand."""

from __future__ import annotations

import io
import re
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

KEY, SECRET = "AKIDFORTESTS0001", "secret/that+must=appear/nowhere"

Kind = Literal["500", "503", "403", "delay", "hang", "reset", "truncated", "corrupted", "corrupted upload"]

_CODES = {"500": "InternalError", "503": "SlowDown", "403": "AccessDenied"}


@dataclass
class Fault:
    """Spoils the first ``times`` requests of a method whose path (``/bucket/key``) matches; ``None``: all of them."""

    kind: Kind
    path: str = ""
    method: str = ""
    times: int | None = None
    seconds: float = 60.0
    met: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is to be spoilt; counts it."""
        wanted = (not self.method or method in self.method.split()) and re.search(self.path, path) is not None
        if not wanted or (self.times is not None and self.met >= self.times):
            return False
        self.met += 1
        return True


@dataclass(frozen=True)
class Request:
    """What the server was asked. ``answer`` is the status; 0 if there was none."""

    method: str
    path: str
    query: dict[str, list[str]]
    answer: int


class Middleman:
    """A WSGI application around another: keeps the requests, checks who asks, and commits the faults."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._lock, self._closing = inner, threading.Lock(), threading.Event()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []

    def close(self) -> None:
        """Let go whoever is kept waiting."""
        self._closing.set()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        with self._lock:
            fault = next((each for each in self.faults if each.takes(method, path)), None)
        kind = fault.kind if fault else None
        if KEY not in environ.get("HTTP_AUTHORIZATION", ""):
            status, headers, body = _refusal("403", "InvalidAccessKeyId")
        elif kind in ("500", "503", "403"):
            status, headers, body = _refusal(kind, _CODES[kind])
        elif fault is not None and kind == "hang":
            self._closing.wait(fault.seconds)
            self._note(method, path, environ, 0)
            raise ConnectionResetError
        elif kind == "reset":
            self._note(method, path, environ, 0)
            _reset(environ["werkzeug.socket"])
            raise ConnectionResetError
        else:
            if fault is not None and kind == "delay":
                time.sleep(fault.seconds)
            if kind == "corrupted upload":
                environ = _spoilt_upload(environ)
            status, headers, body = self._asked(environ)
        if kind == "corrupted" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        elif kind == "truncated":
            body = body[: len(body) // 2]
        self._note(method, path, environ, int(status[:3]))
        start(status, headers)
        return [b"" if method == "HEAD" else body]

    def _note(self, method: str, path: str, environ: dict[str, Any], answer: int) -> None:
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        with self._lock:
            self.requests.append(Request(method, path, query, answer))

    def _asked(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = []
        result = self._inner(environ, lambda status, headers, *_: told.append((status, headers)))
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        status, headers = told[0]
        return status, list(headers), body


def _refusal(number: str, code: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>the middleman says no</Message></Error>".encode()
    return f"{number} no", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body


def _reset(connection: socket.socket) -> None:
    """Drop a connection without a word: the other side gets a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _spoilt_upload(environ: dict[str, Any]) -> dict[str, Any]:
    """A request whose body lost a bit on its way, with a checksum that was made of what arrived."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = body[:-1] + bytes([body[-1] ^ 1])
    checks = ("HTTP_X_AMZ_CHECKSUM", "HTTP_CONTENT_MD5", "HTTP_X_AMZ_SDK_CHECKSUM")
    kept = {name: value for name, value in environ.items() if not name.startswith(checks)}
    return kept | {"wsgi.input": io.BytesIO(body)}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """We did it, or a client that was killed."""

    def handle(self) -> None:
        """As ever, but whoever has hung up is not news."""
        try:
            super().handle()
        except (ConnectionError, ValueError, OSError):
            return


@dataclass
class Server:
    """The server as tests see it. ``client`` is boto3's: it shares no code with s3fs above botocore."""

    url: str
    middleman: Middleman
    client: Any
    buckets: int = 0
    _fresh: int = field(default=0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the server."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }  # fmt: skip

    def bucket(self, objects: dict[str, bytes] | None = None) -> str:
        """A new bucket with these objects."""
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self.client.create_bucket(Bucket=name)
        for key, body in (objects or {}).items():
            self.client.put_object(Bucket=name, Key=key, Body=body)
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All that is in a bucket, without the folders of runs."""
        keys = [key for key in self.keys(bucket) if not key.startswith(".aigc-label/")]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def forget(self) -> None:
        """Count anew, and spoil nothing more."""
        self.middleman.faults.clear()
        self.middleman.requests.clear()

    def spoil(self, kind: Kind, path: str = "", method: str = "", **more: Any) -> Fault:
        """Commit a fault from now on."""
        fault = Fault(kind, path, method, **more)
        self.middleman.faults.append(fault)
        return fault

    def asked(self, method: str, path: str = "") -> list[Request]:
        """The requests of a method so far, of paths that match."""
        return [r for r in list(self.middleman.requests) if r.method == method and re.search(path, r.path)]


@contextmanager
def serving() -> Iterator[Server]:
    """The server, on a free port."""
    middleman = Middleman(DomainDispatcherApplication(create_backend_app))
    server: BaseWSGIServer = make_server("127.0.0.1", 0, middleman, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    try:
        yield Server(url, middleman, client)
    finally:
        middleman.close()
        client.close()
        server.shutdown()
        server.server_close()
