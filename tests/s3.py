"""A server on loopback that speaks S3 (moto's), behind a proxy that counts requests and spoils some on demand."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import boto3
import pytest
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from PIL import Image
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from labeling import Labeler, batch

PRODUCER = "001191000000MA00DEM00P10001"
LABELER = Labeler(producer=PRODUCER, visible=False)

KEY, SECRET = "AKIDFORTESTS0001", "secret/that+must=appear/nowhere"

LONGEST_KEY = 1024
"""Bytes: S3's own limit."""

Kind = Literal[
    "500", "503", "403", "404", "expired", "archived", "delay", "hang", "reset", "truncated", "corrupted",
    "corrupted upload", "gone",
]  # fmt: skip

_NUMBERS = itertools.count(1)  # of buckets: moto's memory is that of the process, whatever the server
_CODES: dict[str, tuple[str, str]] = {
    "500": ("500", "InternalError"), "503": ("503", "SlowDown"), "403": ("403", "AccessDenied"),
    "404": ("404", "NoSuchKey"), "expired": ("400", "ExpiredToken"), "archived": ("403", "InvalidObjectState"),
}  # fmt: skip
"""HTTP status and code of S3's error responses."""


@dataclass
class Fault:
    """Spoils ``times`` requests of a method whose path (``/bucket/key``) matches; ``None``: all of them.

    The first ``after`` of them pass. With ``header``, only requests that have it are meant, with ``token`` only those
    of that session token; ``code`` is the error's code, if not that of its kind.
    """

    kind: Kind
    path: str = ""
    method: str = ""
    times: int | None = None
    seconds: float = 60.0
    query: str = ""
    header: str = ""
    code: str = ""
    then: Callable[[], object] = bool
    """Called as well, before the request is answered."""
    met: int = 0
    after: int = 0
    token: str = ""

    def takes(self, method: str, path: str, query: str, environ: dict[str, Any]) -> bool:
        """Whether this request is to be spoilt; counts it."""
        if self.header and f"HTTP_{self.header.upper().replace('-', '_')}" not in environ:
            return False
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
        wanted = method == (self.method or method) and re.search(self.path, path) and self.query in query
        if not wanted or token != (self.token or token) or (self.times is not None and self.met >= self.times):
            return False
        if self.after:
            self.after -= 1
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


class Proxy:
    """A WSGI application around another: keeps the requests, checks who asks, and commits the faults."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._lock, self._closing = inner, threading.Lock(), threading.Event()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []

    def close(self) -> None:
        """Release the requests that are kept waiting."""
        self._closing.set()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        with self._lock:
            fault = next(
                (each for each in self.faults if each.takes(method, path, environ["QUERY_STRING"], environ)), None
            )
        kind = fault.kind if fault else None
        if fault is not None:
            fault.then()
        if KEY not in environ.get("HTTP_AUTHORIZATION", ""):
            status, headers, body = _refusal("403", "InvalidAccessKeyId")
        elif len(path.encode().split(b"/", 2)[-1]) > LONGEST_KEY:  # moto takes it
            status, headers, body = _refusal("400", "KeyTooLongError")
        elif kind in _CODES:
            number, code = _CODES[kind]
            status, headers, body = _refusal(number, fault.code if fault and fault.code else code)
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
            if kind == "gone":  # somebody else removes it just now
                _, bucket, key = path.split("/", 2)
                backend().delete_object(bucket, key)
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
        answers: list[Any] = []
        result = self._inner(environ, lambda status, headers, *_: answers.append((status, headers)))
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        status, headers = answers[0]
        return status, list(headers), body


def backend() -> Any:
    """What moto keeps in memory."""
    return get_backend("s3")["123456789012"]["aws"]


def _refusal(number: str, code: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>the proxy says no</Message></Error>".encode()
    return f"{number} no", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body


def _reset(connection: socket.socket) -> None:
    """Have the connection dropped without a word when it is closed: the other side gets a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


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
        self.close_connection = True

    def handle(self) -> None:
        """Handle a request, without a word about clients that have hung up."""
        try:
            super().handle()
        except (ConnectionError, ValueError, OSError):
            return


@dataclass
class Server:
    """The server as tests see it. ``client`` is boto3's: it shares no code with s3fs above botocore."""

    url: str
    proxy: Proxy
    client: Any

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
        name = f"bucket-{next(_NUMBERS)}"
        self.client.create_bucket(Bucket=name)
        for key, body in (objects or {}).items():
            self.client.put_object(Bucket=name, Key=key, Body=body)
        return name

    def put_quickly(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object straight into the server's memory: for thousands of them."""
        backend().put_object(bucket, key, body)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All that is in a bucket, without the folders of runs."""
        keys = [key for key in self.keys(bucket) if ".aigc-label/" not in key]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def for_test(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
        """Prepare the server for a test, which works in a folder of its own and finds it through the environment."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        self.forget()
        return self

    def forget(self) -> None:
        """Reset the count of requests, and spoil nothing more."""
        self.proxy.faults.clear()
        self.proxy.requests.clear()

    def spoil(self, kind: Kind, path: str = "", method: str = "", **more: Any) -> Fault:
        """Commit a fault from now on."""
        fault = Fault(kind, path, method, **more)
        self.proxy.faults.append(fault)
        return fault

    def refuse_header(self, header: str, code: str, path: str = "") -> Fault:
        """Refuse to store what has a header, for good."""
        return self.spoil("403", path, header=header, code=code)

    def asked(self, method: str, path: str = "") -> list[Request]:
        """The requests of a method so far, of paths that match."""
        return [r for r in list(self.proxy.requests) if r.method == method and re.search(path, r.path)]


@contextmanager
def serving() -> Iterator[Server]:
    """The server, on a free port."""
    proxy = Proxy(DomainDispatcherApplication(create_backend_app))
    server: BaseWSGIServer = make_server("127.0.0.1", 0, proxy, threaded=True, request_handler=_Quiet)
    server.shutdown_request = server.close_request  # type: ignore[method-assign]  # no polite end before a reset
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    try:
        yield Server(url, proxy, client)
    finally:
        proxy.close()
        client.close()
        server.shutdown()
        server.server_close()


def small_png() -> bytes:
    """Return a picture that is labelled quickly."""
    with io.BytesIO() as file:
        Image.radial_gradient("L").resize((24, 16)).convert("RGB").save(file, "PNG")
        return file.getvalue()


def go(source: object, target: object = None, **more: Any) -> batch.Finished:
    """Run in this process, and label the metadata only."""
    how: dict[str, Any] = {"labeler": LABELER, "engine": "inline"} | more
    return batch.run(str(source), None if target is None else str(target), **how)


def results(finished: batch.Finished) -> dict[str, dict[str, Any]]:
    """Return the results by path; each file must have exactly one."""
    lines = [json.loads(line) for line in finished.results.read_text(encoding="utf-8").splitlines()]
    assert len({line["path"] for line in lines}) == len(lines)
    return {line["path"]: line for line in lines}


def statuses(finished: batch.Finished) -> dict[str, str]:
    return {path: line["status"] for path, line in results(finished).items()}


def proven(server: Server, bucket: str, finished: batch.Finished, prefix: str = "") -> set[str]:
    """Return the labelled objects; no others may exist, and each has the bytes and the content id of its result."""
    lines = {f"{prefix}{path}": line for path, line in results(finished).items() if line["status"] == "labelled"}
    there = server.objects(bucket)
    assert there.keys() == lines.keys()
    for key, body in there.items():
        assert hashlib.sha256(body).hexdigest() == lines[key]["sha256"], key
        assert lines[key]["content_id"].encode() in body, key
    return set(lines)
