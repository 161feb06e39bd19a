"""What S3 keeps of objects beside their bytes: labelled copies have it too, or their results say what they lack."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling.batch.conversion import Conversion
from labeling.batch.object_encoding import expand
from labeling.batch.object_properties import missing
from labeling.labeler import Labeler

from .s3 import PRODUCER, Server, go, proven, results, small_png

EVERYTHING: dict[str, Any] = {
    "ContentType": "image/png; note=ours", "CacheControl": "public, max-age=60",
    "ContentDisposition": 'attachment; filename="a.png"', "ContentLanguage": "zh-CN",
    "Expires": datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC), "Metadata": {"owner": "the studio", "x-y": "1"},
    "WebsiteRedirectLocation": "/elsewhere", "StorageClass": "STANDARD_IA", "Tagging": "team=red%20ones&a=b%2Bc",
    "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:123456789012:key/1234",
    "ACL": "public-read",
}  # fmt: skip
TOLD = (
    "ContentType", "CacheControl", "ContentDisposition", "ContentLanguage", "ContentEncoding", "Expires", "Metadata",
    "WebsiteRedirectLocation", "StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled",
)  # fmt: skip


def properties(store: Server, bucket: str, key: str) -> dict[str, Any]:
    """Return what boto3 says of an object."""
    head = store.client.head_object(Bucket=bucket, Key=key)
    found = {name: head[name] for name in TOLD if head.get(name)}
    if tags := store.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]:
        found["tags"] = {each["Key"]: each["Value"] for each in tags}
    grants = store.client.get_object_acl(Bucket=bucket, Key=key)["Grants"]
    return found | {"grants": sorted(json.dumps(each, sort_keys=True) for each in grants)}


def lost(line: dict[str, Any]) -> dict[str, str]:
    return {each["what"]: each["why"] for each in line.get("lost", ())}


@pytest.fixture
def source(store: Server) -> str:
    bucket = store.bucket({"plain.png": small_png()})
    store.client.put_object(Bucket=bucket, Key="a.png", Body=small_png(), **EVERYTHING)
    store.client.put_object(Bucket=bucket, Key="own.png", Body=small_png(), ServerSideEncryption="AES256")
    return bucket


@pytest.mark.parametrize("in_place", [False, True])
def test_everything_is_kept(store: Server, source: str, in_place: bool) -> None:
    before = {key: properties(store, source, key) for key in store.keys(source)}
    assert before["a.png"]["tags"] == {"team": "red ones", "a": "b+c"}
    assert len(before["a.png"]["grants"]) == 2
    assert len(before["a.png"]) == 12
    target = source if in_place else store.bucket()
    done = go(f"s3://{source}", None if in_place else f"s3://{target}", in_place=in_place)
    assert proven(store, target, done) == set(before)
    after = {key: properties(store, target, key) for key in before}
    for key in ("plain.png", "own.png"):  # nobody has said what they are
        assert before[key].pop("ContentType") == "binary/octet-stream"
        assert after[key].pop("ContentType") == "image/png"
    assert after == before
    assert after["own.png"]["ServerSideEncryption"] == "AES256"
    assert not any(lost(line) for line in results(done).values())


def test_a_large_object_in_parts(store: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.batch.object_store_s3.PART_SIZE", 5 << 20)
    with io.BytesIO() as file:
        Image.new("L", (3300, 3300)).save(file, "TIFF")
        body = file.getvalue()
    source, target = store.bucket(), store.bucket()
    store.client.put_object(Bucket=source, Key="a.tiff", Body=body, **EVERYTHING)
    before = properties(store, source, "a.tiff")
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.tiff"}
    assert store.asked("POST", f"/{target}/a")[0].query == {"uploads": [""]}
    assert properties(store, target, "a.tiff") == before
    assert not lost(results(done)["a.tiff"])


def test_each_file_costs_six_requests(store: Server, source: str) -> None:
    """Where ACLs are switched off, as they are in new buckets. Each tagged object costs one more."""
    names = [f"{number}.png" for number in range(6)]
    first, target = store.bucket(dict.fromkeys(names, small_png())), store.bucket()
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    store.client.put_bucket_ownership_controls(Bucket=first, OwnershipControls=controls)
    store.client.put_object_tagging(Bucket=first, Key="0.png", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    store.forget()
    go(f"s3://{first}", f"s3://{target}")
    asked = [each for each in store.proxy.requests if each.path.endswith(".png")]
    counts = Counter((each.method, each.path.split("/")[1], "".join(each.query)) for each in asked)
    assert counts == {
        ("HEAD", first, ""): 12, ("GET", first, ""): 6, ("HEAD", target, ""): 6, ("PUT", target, ""): 6,
        ("GET", target, ""): 6, ("GET", first, "tagging"): 2,
    }  # fmt: skip  # of 1.png as well: its lack of a count may have meant that tags may not be read


def test_what_the_target_refuses_is_lost_and_not_asked_for_again(store: Server, source: str) -> None:
    store.client.put_object(Bucket=source, Key="b.png", Body=small_png(), **EVERYTHING)
    target = store.bucket()
    for header, code in (
        ("x-amz-acl", "AccessControlListNotSupported"), ("x-amz-storage-class", "InvalidStorageClass"),
        ("x-amz-tagging", "AccessDenied"),
    ):  # fmt: skip
        store.refuse_header(header, code, f"^/{target}/")
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png", "b.png", "own.png", "plain.png"}
    found = results(done)
    for name in ("a.png", "b.png"):
        assert lost(found[name]) == {
            "ACL": f"s3://{target} refuses it (AccessControlListNotSupported)",
            "storage class": f"s3://{target} refuses it (InvalidStorageClass)",
            "tags": f"s3://{target} refuses it (AccessDenied)",
        }
    assert not lost(found["plain.png"])
    assert properties(store, target, "a.png")["Metadata"] == EVERYTHING["Metadata"]
    assert len(store.asked("PUT", f"^/{target}/b")) == 1
    assert {each["what"] for each in done.summary["lost"]["things"]} == {"ACL", "storage class", "tags"}


def test_what_may_not_be_read_is_lost(store: Server, source: str) -> None:
    target = store.bucket()
    for query in ("tagging", "acl", "ownershipControls"):
        store.spoil("403", f"^/{source}", "GET", query=query)
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png", "own.png", "plain.png"}
    for line in results(done).values():
        assert lost(line) == {
            "tags, if there are any": f"s3://{source} does not permit reading them (get_object_tagging: AccessDenied)",
            "ACL, if there are any": f"s3://{source} does not permit reading them (get_object_acl: AccessDenied)",
        }
    assert len([each for each in store.asked("GET") if each.query.get("tagging")]) == 1


def test_strict_refuses_instead(store: Server, source: str) -> None:
    target = store.bucket()
    store.refuse_header("x-amz-tagging", "AccessDenied", f"^/{target}/")
    labeler = Labeler(producer=PRODUCER, visible=False, strict=True)
    done = go(f"s3://{source}", f"s3://{target}", labeler=labeler)
    assert results(done)["a.png"]["status"] == "refused"
    assert "would lose ACL or tags" in results(done)["a.png"]["error"]["message"]
    assert proven(store, target, done) == {"own.png", "plain.png"}


def test_a_target_that_may_not_be_written_stays_a_failure(store: Server, source: str) -> None:
    target = store.bucket()
    store.spoil("403", f"^/{target}/.*png", "PUT")
    done = go(f"s3://{source}", f"s3://{target}")
    assert {line["status"] for line in results(done).values()} == {"failed"}
    assert "check credentials and permissions" in results(done)["a.png"]["error"]["message"]


def test_locks_come_last(store: Server) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    buckets = []
    for name in ("locked-source", "locked-target"):
        store.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        buckets.append(name)
    source, target = buckets
    store.client.put_object(
        Bucket=source, Key="a.png", Body=small_png(), ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )  # fmt: skip
    done = go(f"s3://{source}", f"s3://{target}", state="state")
    head = store.client.head_object(Bucket=target, Key="a.png")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert head["ObjectLockRetainUntilDate"] == until
    assert head["ObjectLockLegalHoldStatus"] == "ON"
    assert not lost(results(done)["a.png"])
    free = store.bucket()
    assert lost(results(go(f"s3://{source}", f"s3://{free}"))["a.png"]).keys() == {"retention", "legal hold"}


def test_objects_with_a_key_of_their_customer(store: Server) -> None:
    """SSE-C: the key is given for all requests that take one, for source and target."""
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    source, target = store.bucket(), store.bucket()
    store.client.put_object(Bucket=source, Key="a.png", Body=small_png(), Metadata={"owner": "x"}, **key)
    store.forget()
    with_key = store.spoil("delay", "a.png", header="x-amz-server-side-encryption-customer-key", seconds=0.0)
    done = go(f"s3://{source}", f"s3://{target}", storage_options={"s3_additional_kwargs": key})
    asked = [each for each in store.proxy.requests if each.path.endswith("a.png") and not each.query]
    assert len(asked) == with_key.met == 6  # moto itself does not ask for the key
    line = results(done)["a.png"]
    assert line["status"] == "labelled", line
    found = store.client.get_object(Bucket=target, Key="a.png", **key)
    assert hashlib.sha256(found["Body"].read()).hexdigest() == line["sha256"]
    assert found["Metadata"] == {"owner": "x"}
    assert "lost" not in line


def test_a_bucket_may_add_to_what_an_object_has() -> None:
    """A key for the whole bucket is no loss."""
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:123456789012:key/1234"}
    wanted = {"encryption key": kms, "user metadata": {"a": "1"}, "Cache-Control": "x"}
    assert not missing(wanted, wanted | {"encryption key": kms | {"BucketKeyEnabled": True}}, "s3://b")
    assert [loss.what for loss in missing(wanted, wanted | {"user metadata": {}}, "s3://b")] == ["user metadata"]


def test_a_folder_keeps_bytes_alone_and_one_sentence_says_so(store: Server, source: str) -> None:
    down = go(f"s3://{source}", "down")
    assert down.summary["bytes_only"] is True
    assert "keeps bytes alone" in down.page.read_text()
    assert not any(lost(line) for line in results(down).values())
    assert "bytes_only" not in go(f"s3://{source}", f"s3://{store.bucket()}").summary


def test_types_of_names_without_extension(store: Server, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "no-extension").write_bytes(small_png())
    (folder / "wrong.jpg").write_bytes(small_png())
    target = store.bucket()
    done = go(folder, f"s3://{target}")
    assert proven(store, target, done) == {"no-extension", "wrong.jpg"}
    for key in ("no-extension", "wrong.jpg"):
        assert store.client.head_object(Bucket=target, Key=key)["ContentType"] == "image/png"
    types = {
        key.rpartition("/")[2]: store.client.head_object(Bucket=target, Key=key)["ContentType"]
        for key in store.keys(target)
        if ".aigc-label/" in key
    }
    assert types["report.html"] == "text/html"
    assert types["summary.json"] == "application/json"


def test_objects_that_are_stored_compressed(store: Server) -> None:
    """Their bytes are expanded, as every client of HTTP does."""
    png = small_png()
    source, target = store.bucket(), store.bucket()
    for name, body, encoding in (
        ("gzip.png", gzip.compress(png), "gzip"),
        ("members.png", gzip.compress(png[:99]) + gzip.compress(png[99:]), "x-gzip"),
        ("false.png", png, "gzip"), ("plain.png", png, "identity"), ("cut.png", gzip.compress(png)[:-20], "gzip"),
        ("br.png", b"\x8b\x03\x80" + bytes(90), "br"), ("bomb.png", gzip.compress(bytes(9 << 20)), "gzip"),
        ("empty.png", b"", "gzip"), ("text.png", b"no picture at all", "gzip"),
    ):  # fmt: skip
        store.client.put_object(Bucket=source, Key=name, Body=body, ContentEncoding=encoding, ContentType="image/png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labeling.batch.object_encoding.MAX_EXPANDED", 8 << 20)
        done = go(f"s3://{source}", f"s3://{target}")
    sound = {"gzip.png", "members.png", "false.png", "plain.png"}
    assert proven(store, target, done) == sound
    for key in sound:
        head = store.client.get_object(Bucket=target, Key=key)
        assert Image.open(head["Body"]).size == (24, 16)
        assert head.get("ContentEncoding") == ("identity" if key == "plain.png" else None)
        assert head["ContentType"] == "image/png"
    found = results(done)
    assert lost(found["gzip.png"]) == {"Content-Encoding gzip": "the copy is stored as it is, not compressed"}
    assert not lost(found["plain.png"])
    messages = {name: found[name]["error"]["message"] for name in ("cut.png", "br.png", "bomb.png")}
    assert "cannot be expanded (Content-Encoding gzip" in messages["cut.png"]
    assert "stored compressed (Content-Encoding br), which is not read" in messages["br.png"]
    assert "expands to more than" in messages["bomb.png"]
    assert "compressed" not in found["empty.png"]["error"]["message"] + found["text.png"]["error"]["message"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"GIF89a", mtime=0)),
        ("aws-chunked, GZIP", gzip.compress(b"GIF89a", mtime=0)),
        ("gzip", b""),
        ("gzip", b"a"),
    ],
)
def test_codings_that_are_expanded_or_are_none(tmp_path: Path, encoding: str, body: bytes) -> None:
    local = tmp_path / "a"
    local.write_bytes(body)
    expand(local, encoding)
    assert local.read_bytes() == (b"GIF89a" if len(body) > 1 else body)


def test_headers_that_are_too_many_for_the_target_are_left_out(store: Server) -> None:
    """Servers in front of a store have limits of their own (RFC 6585, 5)."""
    source, target = store.bucket(), store.bucket()
    store.client.put_object(Bucket=source, Key="a.png", Body=small_png(), Metadata={"note": "x" * 1900})
    store.refuse_header("x-amz-meta-note", "431", f"^/{target}/")
    done = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, done) == {"a.png"}
    assert "431" in lost(results(done)["a.png"])["user metadata"]


def test_a_conversion_has_the_type_of_its_output(store: Server, source: str) -> None:
    target = store.bucket()
    go(f"s3://{source}", f"s3://{target}", labeler=None, convert=Conversion(format="webp"))
    after = properties(store, target, "a.webp")
    assert after["ContentType"] == "image/webp"
    assert after["ContentDisposition"] == 'attachment; filename="a.webp"'
    assert after["Metadata"] == EVERYTHING["Metadata"]


def test_options_for_all_objects_go_before(store: Server, source: str) -> None:
    target = store.bucket()
    options = {"s3_additional_kwargs": {"StorageClass": "ONEZONE_IA", "ACL": "bucket-owner-full-control"}}
    done = go(f"s3://{source}", f"s3://{target}", storage_options=options)
    after = properties(store, target, "a.png")
    assert after["StorageClass"] == "ONEZONE_IA"
    assert "AllUsers" not in str(after["grants"])
    assert after["tags"] == {"team": "red ones", "a": "b+c"}
    assert not lost(results(done)["a.png"])
