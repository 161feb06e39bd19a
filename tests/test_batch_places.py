"""Where a run reads and writes: single files and objects, targets below their sources, servers that list nothing."""

from __future__ import annotations

import functools
import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.registry import known_implementations

from labeling import LabelingError
from labeling.batch.job import Check
from labeling.batch.storage import open_storage
from labeling.batch.store_packages import EXTRAS, package_for

from .s3 import Server, go, proven, results, small_png, statuses


@pytest.fixture(scope="module")
def png() -> bytes:
    return small_png()


@pytest.fixture
def folder(tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.png", "b.png"):
        (source / name).write_bytes(png)
    return source


@pytest.fixture
def memory(png: bytes) -> Iterator[fsspec.AbstractFileSystem]:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/in/a.png": png, "/in/b/c.png": png})
    yield fs
    fs.rm("/", recursive=True)


def test_a_single_object(store: Server, png: bytes) -> None:
    source, target = store.bucket(dict.fromkeys(["x/a.png", "x/b.png", "top.png"], png)), store.bucket()
    assert proven(store, target, go(f"s3://{source}/x/a.png", f"s3://{target}")) == {"a.png"}
    assert proven(store, target, go(f"s3://{source}/x/b.png", f"s3://{target}")) == {"a.png", "b.png"}  # one run
    assert statuses(go(f"s3://{source}/top.png", "out")) == {"top.png": "labelled"}
    assert statuses(go(f"s3://{source}/x/a.png", f"s3://{source}/x/out")) == {"a.png": "labelled"}
    assert statuses(go(f"s3://{source}/x/b.png", in_place=True)) == {"b.png": "labelled"}
    with pytest.raises(LabelingError, match="source and target are one place"):
        go(f"s3://{source}/x/a.png", f"s3://{source}/x")
    with pytest.raises(LabelingError, match="no objects whose names begin so"):
        go(f"s3://{source}/x/none.png", "none")


def test_an_object_with_the_name_of_a_folder(store: Server, png: bytes) -> None:
    source, target = store.bucket({"x": png, "x/a.png": png}), store.bucket()
    assert proven(store, target, go(f"s3://{source}/x", f"s3://{target}")) == {"a.png"}


def test_a_single_file(folder: Path, png: bytes) -> None:
    first = go(folder / "a.png", "out")
    assert statuses(first) == {"a.png": "labelled"}
    assert not Path("out/b.png").exists()
    assert statuses(go(folder / "b.png", "out")) == {"a.png": "labelled", "b.png": "labelled"}
    assert statuses(go(folder, "out")) == {"a.png": "labelled", "b.png": "labelled"}  # what the folder's run is too
    (folder.parent / "link.png").symlink_to(folder / "a.png")
    linked = go(folder.parent / "link.png", "elsewhere")
    assert statuses(linked) == {"link.png": "labelled"}
    assert Path("elsewhere/link.png").read_bytes() != png
    assert (folder / "a.png").read_bytes() == png
    with pytest.raises(LabelingError, match="source and target are one folder"):
        go(folder / "a.png", folder)
    in_place = go(folder / "a.png", in_place=True)
    digest = hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()
    assert results(in_place)["a.png"]["sha256"] == digest
    assert (folder / "b.png").read_bytes() == png
    with pytest.raises(LabelingError, match="there is no such folder"):
        go(folder / "none.png", "out")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("memory://in", "memory://in/out"),
        ("memory://in/b", "memory://in"),
        ("memory://in/", "memory:///in"),
        ("memory://in", "memory://"),
        ("s3://{}", "s3://{}/out"),
        ("s3a://{}/x/", "s3://{}/x/out/deep"),
        ("s3://{}/x/y", "s3://{}/x"),
    ],
)
def test_remote_targets_among_their_sources_are_refused(
    store: Server, png: bytes, memory: object, source: str, target: str
) -> None:
    bucket = store.bucket({"x/a.png": png, "x/y/b.png": png})
    with pytest.raises(LabelingError, match=r"would be listed as sources|inside the target|are one place"):
        go(source.format(bucket), target.format(bucket))
    assert store.keys(bucket) == ["x/a.png", "x/y/b.png"]
    report = go(source.format(bucket), target.format(bucket), labeler=None, verify=Check(visible=False))
    assert set(statuses(report).values()) == {"verified"}


def test_remote_targets_beside_their_sources(store: Server, png: bytes, tmp_path: Path) -> None:
    bucket = store.bucket({"x/a.png": png})
    assert statuses(go(f"s3://{bucket}/x", f"s3://{bucket}/x2")) == {"a.png": "labelled"}
    (tmp_path / "list").write_text("x/a.png\n")
    listed = go(f"s3://{bucket}", f"s3://{bucket}/out", file_list=tmp_path / "list")  # nothing is listed then
    assert statuses(listed) == {"x/a.png": "labelled"}


def test_folders_of_runs_are_no_targets_and_sources_no_state(folder: Path) -> None:
    for target in (folder / ".aigc-label", "memory://x/.aigc-label/y"):
        with pytest.raises(LabelingError, match="in the folder of a run's own files"):
            go(folder, target)
    with pytest.raises(LabelingError, match="the run's own files would be listed"):
        go(folder, "out", state=folder)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]


@pytest.fixture
def web(folder: Path) -> Iterator[str]:
    """The address of a server of files on loopback, with an empty folder."""
    (folder / "empty").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_http(web: str) -> None:
    assert statuses(go(f"{web}/", "out")) == {"a.png": "labelled", "b.png": "labelled"}
    assert statuses(go(f"{web}/a.png", "single")) == {"a.png": "labelled"}
    with pytest.raises(LabelingError, match="the server lists no files there; name them with `file_list`"):
        go(f"{web}/empty/", "none")
    with pytest.raises(LabelingError, match=r"nowhere.*: there is no such place"):
        go(f"{web}/nowhere/", "nowhere")


def test_every_protocol_names_its_package() -> None:
    needs_something = {name for name, row in known_implementations.items() if row.get("err")}
    assert not {name for name in needs_something - {"pyscript"} if not package_for(name)}
    assert {name: package_for(name) for name in ("az", "gs", "s3", "hf", "sftp", "oss", "smb", "tos", "webdav")} == {
        "az": "aigc-labeling[azure]", "gs": "aigc-labeling[gs]", "s3": "aigc-labeling[s3]", "hf": "huggingface-hub",
        "sftp": "paramiko", "oss": "ossfs", "smb": "smbprotocol", "tos": "tosfs", "webdav": "webdav4",
    }  # fmt: skip
    for name in ("ftp", "memory", "zip", "nonsense"):
        assert package_for(name) == ""


@pytest.mark.parametrize("protocol", ["az", "hf", "sftp", "oss", "gs"])
def test_a_missing_package_is_named(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("adlfs", "huggingface_hub", "paramiko", "ossfs", "gcsfs"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(LabelingError) as caught:
        open_storage(f"{protocol}://somewhere/x", {}).open()
    assert f"pip install '{package_for(protocol)}'" in str(caught.value)


def test_the_extras_exist() -> None:
    import tomllib

    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    assert {name.partition("[")[2].rstrip("]") for name in EXTRAS.values()} <= extras.keys()


def test_a_folder_has_several_urls(tmp_path: Path) -> None:
    assert open_storage(f"local://{tmp_path}").place == open_storage(f"file://{tmp_path}").place
    assert open_storage(f"local://{tmp_path}").local


def test_what_arrives_cut_short_is_fetched_again(
    memory: fsspec.AbstractFileSystem, png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that looks at no length: what arrives may well be a file that can be read."""
    monkeypatch.chdir(tmp_path)
    whole, gets = type(memory).get_file, []

    def get_file(fs: fsspec.AbstractFileSystem, path: str, local: str) -> None:
        whole(fs, path, local)
        gets.append(path)
        if gets.count(path) == 1:
            Path(local).write_bytes(png)

    memory.pipe("/in/b/c.png", png + bytes(9))
    monkeypatch.setattr(type(memory), "get_file", get_file)
    monkeypatch.setattr("labeling.batch.store_calls.time.sleep", lambda seconds: None)
    found = results(go("memory://in", "memory://out"))
    assert {path: line["source_sha256"] for path, line in found.items()} == {
        "a.png": hashlib.sha256(png).hexdigest(), "b/c.png": hashlib.sha256(png + bytes(9)).hexdigest(),
    }  # fmt: skip
    assert (gets.count("/in/a.png"), gets.count("/in/b/c.png")) == (1, 2)
