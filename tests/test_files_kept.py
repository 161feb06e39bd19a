"""What a file has beside its content: permissions, owner, extended attributes, access lists, links, other names."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling import (
    Labeler,
    LabelingError,
    VideoOptions,
    atomic_writes,
    batch,
    convert,
    filebytes,
    propagate,
    temporary,
    transplant,
    verify,
)
from labeling.errors import WriteError
from labeling.marks.credentials import Signer, make_test_chain
from labeling.verification.manifest import sidecar_of

from . import programs
from .batching import results
from .commands import run
from .pictures import rgb
from .test_bad_input import PRODUCER

Verb = Callable[..., object]
"""Gets source, target (``None``: in place) and ``keep_times``."""

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
ACL = "system.posix_acl_access"


def labeler(**more: object) -> Labeler:
    return Labeler(producer=PRODUCER, **more)  # type: ignore[arg-type]


def signer() -> Signer:
    chain = make_test_chain()
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def add(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return labeler(keep_times=keep_times).label_file(source, target, in_place=target is None)


def add_without_pixels(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return labeler(visible=False, keep_times=keep_times).label_file(source, target, in_place=target is None)


def add_signed(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return labeler(visible=False, signer=signer(), keep_times=keep_times).label_file(
        source, target, in_place=target is None
    )


def add_on_video(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return labeler(video=VideoOptions(preset="ultrafast"), keep_times=keep_times).label_file(
        source, target, in_place=target is None
    )


def second_half(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return propagate(
        source, target, propagator="platform", propagate_id="1", in_place=target is None, keep_times=keep_times
    )


def carried(source: Path, target: Path | None, keep_times: bool = False) -> object:
    other = source.parent.parent / f"original{source.suffix}"
    before = source.stat()
    labeler(visible=False).label_file(source, other)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    return transplant(other, source, target, in_place=target is None, keep_times=keep_times)


def smaller(source: Path, target: Path | None, keep_times: bool = False) -> object:
    return convert(source, target, resize="200", in_place=target is None, keep_times=keep_times)


VERBS: dict[str, tuple[str, Verb]] = {
    "add jpeg": ("jpg", add), "add png": ("png", add), "metadata only": ("jpg", add_without_pixels),
    "signed": ("png", add_signed), "mp4": ("mp4", add_without_pixels), "mp4 signed": ("mp4", add_signed),
    "mp4 painted": ("mp4", add_on_video), "mkv painted": ("mkv", add_on_video), "wav": ("wav", add_without_pixels),
    "propagate": ("png", second_half), "propagate mp4": ("mp4", second_half), "transplant": ("png", carried),
    "convert": ("webp", smaller),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for suffix in ("jpg", "png", "webp"):
        rgb().save(folder / f"a.{suffix}")
    ffmpeg = programs.require("ffmpeg")
    for suffix in ("mp4", "mkv", "wav"):
        given = "sine=d=2" if suffix == "wav" else "testsrc=s=320x240:d=2:r=12"
        subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", given, str(folder / f"a.{suffix}")], check=True)
    return folder


def source_of(sources: Path, verb: str, folder: Path) -> Path:
    path = folder / f"private.{VERBS[verb][0]}"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(sources / f"a.{path.suffix[1:]}", path)
    if verb.startswith("propagate"):
        labeler(visible=False).label_file(path, in_place=True)
    return path


def access_list(*, other: int = 1234) -> bytes:
    """A list in which the user ``other`` may read, and the group may not (acl(5), linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, 4, other), (4, 0, nobody), (16, 4, nobody), (32, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def dress(path: Path, mode: int) -> None:
    if ROOT:
        os.chown(path, 1234, 2345)
    os.setxattr(path, "user.comment", b"mine \xff")
    path.chmod(mode)
    os.utime(path, ns=(10**18, 10**18))


def clothes(path: Path) -> tuple[object, ...]:
    status = path.stat()
    names = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return oct(status.st_mode), status.st_uid, status.st_gid, names


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_in_place_keeps_mode_owner_and_extended_attributes(sources: Path, tmp_path: Path, verb: str, mode: int) -> None:
    path = source_of(sources, verb, tmp_path / "in")
    dress(path, mode)
    before, old = clothes(path), path.read_bytes()
    VERBS[verb][1](path, None)
    assert path.read_bytes() != old
    assert clothes(path) == before
    assert path.stat().st_mtime_ns != 10**18
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("verb", VERBS)
def test_a_new_output_is_no_more_open_than_its_source(sources: Path, tmp_path: Path, verb: str) -> None:
    path, target = source_of(sources, verb, tmp_path / "in"), tmp_path / f"out.{VERBS[verb][0]}"
    dress(path, 0o600)
    before = clothes(path)
    VERBS[verb][1](path, target)
    assert clothes(path) == before == clothes(target)


LONG_AGO = (1_234_567_890_123_456_789, 987_654_321_987_654_321)
"""Times of access and of change, in nanoseconds; the second is the earlier one, so that no reading changes it."""


def times_of(path: Path) -> tuple[int, int]:
    """Read by another program, which knows nanoseconds."""
    seconds = subprocess.run(
        ["stat", "-c", "%.9X %.9Y", str(path)], check=True, capture_output=True, text=True
    ).stdout.split()  # fmt: skip
    return int(seconds[0].replace(".", "")), int(seconds[1].replace(".", ""))


@pytest.mark.skipif(sys.platform != "linux", reason="stat of GNU")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("in_place", [True, False])
def test_times_are_kept_if_asked_and_only_then(sources: Path, tmp_path: Path, verb: str, in_place: bool) -> None:
    path = source_of(sources, verb, tmp_path / "in")
    target = path if in_place else tmp_path / f"out{path.suffix}"
    os.utime(path, ns=LONG_AGO)
    VERBS[verb][1](path, None if in_place else target, keep_times=True)
    assert times_of(target) == LONG_AGO
    again = source_of(sources, verb, tmp_path / "in")
    os.utime(again, ns=LONG_AGO)
    VERBS[verb][1](again, None if in_place else target)
    assert times_of(target)[1] > 1_700_000_000 * 10**9


@pytest.mark.skipif(sys.platform != "linux", reason="stat of GNU")
def test_the_commands_and_runs_keep_times(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.png"):
        shutil.copyfile(sources / f"a{Path(name).suffix}", folder / name)
        os.utime(folder / name, ns=LONG_AGO)
    common = ("--producer", PRODUCER, "--no-visible", "--keep-times")
    assert run("add", folder / "a.jpg", "-o", tmp_path / "a.jpg", *common).returncode == 0
    half = ("--propagator", "platform", "--propagate-id", "7")
    run("propagate", tmp_path / "a.jpg", *half, "--keep-times", "-o", tmp_path / "p.jpg")
    run("transplant", tmp_path / "a.jpg", folder / "a.jpg", "--keep-times", "-o", tmp_path / "t.jpg")
    run("convert", tmp_path / "a.jpg", tmp_path / "c.webp", "--keep-times")
    made = [tmp_path / name for name in ("a.jpg", "p.jpg", "t.jpg", "c.webp")]
    os.utime(folder / "a.jpg", ns=LONG_AGO)
    done = batch.run(folder, tmp_path / "out", labeler=labeler(visible=False, keep_times=True), engine="inline")
    assert done.exit_code == 0
    batch.run(
        tmp_path / "out", tmp_path / "web", convert=batch.Conversion(resize="100", keep_times=True), engine="inline"
    )
    made += [tmp_path / "out" / "a.jpg", tmp_path / "out" / "b.png", tmp_path / "web" / "b.png"]
    assert {path.name: times_of(path)[1] for path in made} == dict.fromkeys((each.name for each in made), LONG_AGO[1])
    again = batch.run(folder, tmp_path / "out", labeler=labeler(visible=False, keep_times=True), engine="inline")
    assert again.exit_code == 0


def test_the_umask_counts_for_new_outputs_only(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rgb().save(path)
    path.chmod(0o666)
    old = os.umask(0o027)
    try:
        add_without_pixels(path, tmp_path / "new.png")
        add_without_pixels(path, None)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_an_output_that_is_replaced_keeps_its_own(tmp_path: Path) -> None:
    for name, mode in (("a.png", 0o644), ("out.png", 0o600)):
        rgb().save(tmp_path / name)
        (tmp_path / name).chmod(mode)
    add_without_pixels(tmp_path / "a.png", tmp_path / "out.png")
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice on its cache")
def test_what_a_large_output_replaces_does_not_keep_its_memory(tmp_path: Path) -> None:
    """Advice alone: the file stays what it is, and what is read from stays in memory."""
    source, target, link = tmp_path / "source", tmp_path / "target", tmp_path / "link"
    source.write_bytes(b"s" * 10)
    target.write_bytes(b"t" * (1 << 16))
    link.symlink_to(target)
    assert filebytes.forget_cached(target, least=1 << 16)
    assert not any(map(filebytes.forget_cached, (target, link, tmp_path, tmp_path / "none")))
    assert not filebytes.forget_cached(link, least=1) and target.read_bytes() == b"t" * (1 << 16)
    asked: list[Path] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic_writes, "forget_cached", lambda path: asked.append(path))
        for like in (source, target, None):
            with atomic_writes.staged(target, like=like) as made:
                made.write_bytes(b"new")
    assert asked == [target]


def test_access_lists_are_kept_and_never_widened(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rgb().save(path)
    os.setxattr(path, ACL, access_list())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # the mask shows as the group's bits
    add_without_pixels(path, tmp_path / "new.png")
    add_without_pixels(path, None)
    for each in (path, tmp_path / "new.png"):
        assert os.getxattr(each, ACL) == access_list()


def test_a_list_that_the_folder_gives_does_not_open_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rgb().save(path)
    path.chmod(0o600)
    os.setxattr(tmp_path, "system.posix_acl_default", access_list())
    add_without_pixels(path, None)
    assert ACL not in os.listxattr(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_manifest_beside_the_file_is_as_private(sources: Path, tmp_path: Path) -> None:
    path = source_of(sources, "mkv painted", tmp_path / "in")
    path.chmod(0o600)
    labeler(visible=False, signer=signer(), sidecar=True).label_file(path, in_place=True)
    assert stat.S_IMODE(sidecar_of(path).stat().st_mode) == 0o600


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_write_protected_stays(sources: Path, tmp_path: Path, verb: str, in_place: bool) -> None:
    path = source_of(sources, verb, tmp_path / "in")
    target = path if in_place else tmp_path / f"out.{VERBS[verb][0]}"
    if not in_place:
        shutil.copyfile(path, target)
    target.chmod(0o444)
    before = target.read_bytes()
    with pytest.raises(LabelingError, match="is write-protected; permit writing to it"):
        VERBS[verb][1](path, None if in_place else target)
    assert target.read_bytes() == before


@pytest.mark.parametrize("verb", VERBS)
def test_in_place_through_a_link_changes_the_file_that_it_leads_to(sources: Path, tmp_path: Path, verb: str) -> None:
    path, link = source_of(sources, verb, tmp_path / "in"), tmp_path / "in" / f"link.{VERBS[verb][0]}"
    link.symlink_to(path.name)
    done = VERBS[verb][1](link, None)
    assert link.is_symlink()
    assert getattr(done, "path") == path.resolve()  # noqa: B009 - results of several types
    assert "is a symbolic link: the file that it leads to was replaced" in done.how[0]  # type: ignore[attr-defined]
    if verb != "convert":
        assert verify(path, visible=False).findings[0].status == "present"


@pytest.mark.parametrize("verb", VERBS)
def test_hard_links_are_not_taken_apart(sources: Path, tmp_path: Path, verb: str) -> None:
    path = source_of(sources, verb, tmp_path / "in")
    (tmp_path / "other").hardlink_to(path)
    before = path.read_bytes()
    with pytest.raises(LabelingError, match=r"has 2 names \(hard links\)"):
        VERBS[verb][1](path, None)
    assert path.samefile(tmp_path / "other")
    assert path.read_bytes() == before
    VERBS[verb][1](path, tmp_path / f"out.{VERBS[verb][0]}")
    assert path.read_bytes() == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("there", [True, False])
def test_an_output_that_is_a_link_is_refused(sources: Path, tmp_path: Path, verb: str, there: bool) -> None:
    path, link = source_of(sources, verb, tmp_path / "in"), tmp_path / f"link.{VERBS[verb][0]}"
    link.symlink_to(tmp_path / "precious")
    if there:
        (tmp_path / "precious").write_bytes(b"precious")
    with pytest.raises(LabelingError, match=r"is a symbolic link; name the file that it leads to \(.*precious\)"):
        VERBS[verb][1](path, link)
    assert link.is_symlink()
    assert (tmp_path / "precious").exists() is there
    assert not there or (tmp_path / "precious").read_bytes() == b"precious"


def test_reports_and_exports_do_not_replace_links(tmp_path: Path) -> None:
    rgb().save(tmp_path / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"precious")
    book = tmp_path / "ledger.db"
    assert run("add", tmp_path / "a.png", "--no-visible", "--producer", PRODUCER, "--ledger", book).returncode == 0
    for arguments in (
        ("verify", tmp_path / "a.png", "--format", "json", "--out", tmp_path / "link"),
        ("ledger", "export", "--ledger", book, "-o", tmp_path / "link"),
    ):
        done = run(*arguments)
        assert (done.returncode, "symbolic link" in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_batch_keeps_and_refuses_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("private.png", "protected.png", "twice.png"):
        rgb(160, 120).save(folder / name)
    (tmp_path / "other").hardlink_to(folder / "twice.png")
    dress(folder / "private.png", 0o600)
    (folder / "protected.png").chmod(0o444)
    before = clothes(folder / "private.png")
    made = labeler(visible=False)
    batch.run(folder, tmp_path / "out", labeler=made, engine="inline")
    assert clothes(tmp_path / "out" / "private.png") == before
    batch.run(folder, None, labeler=made, engine="inline", in_place=True)
    found = results(folder)
    assert {name: line["status"] for name, line in found.items()} == {
        "private.png": "labelled", "protected.png": "failed", "twice.png": "failed",
    }  # fmt: skip
    assert clothes(folder / "private.png") == before
    assert "write-protected" in found["protected.png"]["error"]["message"]
    assert "hard links" in found["twice.png"]["error"]["message"]


def test_leftovers_of_killed_processes_are_swept_and_nothing_else(tmp_path: Path) -> None:
    def name(digit: str) -> Path:
        return tmp_path / f".aigc-7b-{digit * 12}.tmp"

    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    temporary.sweep_once(tmp_path)
    for digit in "01234":
        name(digit).write_bytes(b"left")
    name("5").symlink_to(precious)
    os.mkfifo(name("6"))
    name("7").mkdir()
    (tmp_path / ".aigc-notes.tmp").write_bytes(b"somebody's")
    if ROOT:
        os.chown(name("1"), 1234, 2345)
    with atomic_writes.temp_beside(tmp_path / "x") as ours, name("2").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        temporary.sweep(tmp_path)
        left = {path.name for path in tmp_path.iterdir()}
        assert ours.name in left
    kept = {name(digit).name for digit in ("1" if ROOT else "") + "2567"}
    assert left == kept | {ours.name, "precious", ".aigc-notes.tmp"}
    assert precious.read_bytes() == b"precious"


def test_the_next_output_in_a_folder_sweeps_it(tmp_path: Path) -> None:
    rgb().save(tmp_path / "a.png")
    left = tmp_path / ".aigc-7b-0123456789ab.tmp"
    left.write_bytes(b"left")
    code = f"from labeling import Labeler; Labeler({PRODUCER!r}, visible=False).label_file('a.png')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.labeled.png", "a.png"]


def test_jpegs_are_painted_without_a_file_in_the_temporary_folder(tmp_path: Path) -> None:
    rgb().save(tmp_path / "a.jpg")
    (tmp_path / "tmp").mkdir()
    trace = tmp_path / "trace"
    subprocess.run(
        [programs.require("strace"), "-f", "-e", "trace=openat,mkdir,rename,mkdirat", "-o", str(trace), sys.executable,
         "-m", "labeling.cli", "add", "a.jpg", "--producer", PRODUCER],
        cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path / "tmp")}, check=True, capture_output=True,
    )  # fmt: skip
    lines = trace.read_text(errors="replace").splitlines()
    assert any(".labeled.jpg" in line for line in lines)
    assert not [line for line in lines if str(tmp_path / "tmp") + "/" in line]


def test_an_output_whose_name_is_impossible_is_refused(tmp_path: Path) -> None:
    rgb(64, 48).save(tmp_path / "a.png")
    with pytest.raises(WriteError, match="`target` holds a NUL character"):
        Labeler(PRODUCER, visible=False).label_file(tmp_path / "a.png", f"{tmp_path}/b\0.png")
