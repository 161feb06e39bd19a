"""A program that uses the whole public API. It is type-checked under ``mypy --strict`` and never run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import labeling
from labeling import (
    KINDS,
    PROFILES,
    Audio,
    Classification,
    Contradiction,
    ConvertedFile,
    Defect,
    EvidenceItem,
    Finding,
    Frame,
    InternalError,
    Label,
    LabelConflict,
    LabeledFile,
    LabeledImage,
    LabeledVideoWriter,
    Labeler,
    LabelingError,
    Limits,
    Loss,
    MissingDependency,
    Origin,
    Outcome,
    Picture,
    Profile,
    ProviderCode,
    Report,
    SecurityKey,
    Severity,
    Signature,
    Signer,
    SigningError,
    Sm2Key,
    Source,
    Status,
    Style,
    TooLarge,
    Trust,
    UnreadableFile,
    UnsupportedFormat,
    Verdict,
    VideoOptions,
    WouldLose,
    WriteError,
    batch,
    classify,
    conformity,
    convert,
    fingerprint,
    inspect,
    ledger,
    new_content_id,
    propagate,
    redact,
    transplant,
    verify,
)


def make_labeler(cert: bytes, key: bytes) -> Labeler:
    signer: Signer = Signer.from_pem(cert, key, tsa_url=None)
    security: SecurityKey = Sm2Key.generate()
    return Labeler(
        producer=str(ProviderCode.build("91000000MA00DEM00P", model="0001")),
        profile="cn",
        signer=signer,
        style=Style(text="AI生成", position="top-left", opacity=0.9),
        generator="painter",
        generator_version="3.1",
        origin=Origin.GENERATED,
        video=VideoOptions(when="start+end", seconds=3),
        security_key=security,
    )


def sign_elsewhere(message: bytes) -> bytes:
    return message


def label_pictures(labeler: Labeler, array: NDArray[np.uint8], image: Image.Image) -> list[LabeledImage]:
    pictures: list[Picture] = [array, image, b"bytes of a file", bytearray(b""), memoryview(b"")]
    made = [labeler.label_image(picture, "jpeg", content_id=new_content_id(), quality=90) for picture in pictures]
    assert_type(made[0].data, bytes)
    assert_type(made[0].report, Report)
    assert_type(made[0].how, tuple[str, ...])
    assert_type(made[0].lost, tuple[Loss, ...])
    return made


def label_files(labeler: Labeler, source: Path) -> LabeledFile:
    done = labeler.label_file(source, "out.png", in_place=False, dry_run=True)
    assert_type(done, LabeledFile)
    assert_type(done.path, Path)
    assert_type(done.label, Label)
    assert_type(done.label.created, datetime | None)
    propagate("in.png", "out.png", propagator="platform", propagate_id="post-17", signer=None)
    return transplant("labelled.png", "copy.png", dry_run=True)


def classifying(upload: bytes) -> Classification:
    found = classify(upload, declared=True, visible=False)
    assert_type(found.decision, str)
    assert_type(found.evidence, tuple[EvidenceItem, ...])
    assert_type(found.contradictions, tuple[Contradiction, ...])
    assert_type(found.labeled, LabeledFile | None)
    return classify("upload.png", "out.png", write=True, propagator="platform", notice=Style(position="top"))


def converting() -> tuple[int, int]:
    done: ConvertedFile = convert("labelled.png", "small.webp", resize="800", quality=80, signer=None)
    return done.width, done.height


def label_video(labeler: Labeler, frames: Iterator[Frame], audio: Audio) -> LabeledFile | None:
    with labeler.open_video("out.mp4", size=(640, 360), fps=24.0, codec="h264", audio=audio) as writer:
        assert_type(writer, LabeledVideoWriter)
        for frame in frames:
            writer.write(frame)
    return writer.result


def judge(source: Source, image: Image.Image, roots: bytes) -> list[str]:
    report = verify(source, ["cn", "us-ca"], trust=Trust(anchors_pem=roots), visible=False)
    assert_type(report, Report)
    assert_type(verify(image).compliant, bool)
    verify(source, isolate=True, timeout=5)
    verify(source, isolate=Limits(timeout=5, cpu_time=10, memory=2000))
    assert_type(verify(io.BytesIO(b"")).exit_code, int)
    lines = []
    for name, verdict in report.verdicts.items():
        assert_type(verdict, Verdict)
        assert_type(verdict.outcome, Outcome)
        lines += [f"{name}: {defect.rule} {defect.clause} {defect.message}" for defect in verdict.failed]
    for finding in report.findings:
        assert_type(finding, Finding)
        assert_type(finding.kind, str)
        assert_type(finding.status, Status)
        assert_type(finding.signature, Signature | None)
        assert_type(finding.defects, tuple[Defect, ...])
        lines += [defect.rule for defect in finding.defects if defect.severity is Severity.ERROR]
    visible = report.find("visible")
    assert_type(visible, Finding | None)
    if visible is not None and visible.status is Status.PRESENT:
        lines.append(visible.where)
    profile: Profile = PROFILES["cn"]
    assert_type(inspect("in.png"), dict[str, Any])
    assert_type(conformity("samples", "eu"), dict[str, Any])
    assert_type(redact(inspect("in.png"), name="x"), dict[str, Any])
    assert_type(redact(verify("in.png")), Report)
    return [*lines, profile.title, *KINDS]


def many_files(picture: Picture) -> str:
    with ledger.Ledger.open("ledger.db") as opened:
        done = batch.run("in", "out", labeler=partial(Labeler.from_config, "aigc-label.toml"), ledger=opened, workers=2)
        assert_type(done, batch.Finished)
    batch.run("in", "out", convert=batch.Conversion(resize="1280", format="webp", quality=80, strict=True))
    batch.run("in", "report", verify=batch.Check(profile=("cn",)))
    taken = fingerprint.fingerprint(picture)
    assert_type(taken, bytes | None)
    return f"{done.page} {fingerprint.distance(taken, taken)}" if taken else str(done.page)


def handled(path: str) -> str:
    try:
        verify(path)
    except (UnreadableFile, UnsupportedFormat, TooLarge, LabelConflict) as error:
        return error.message
    except (SigningError, WouldLose, WriteError, MissingDependency, InternalError) as error:
        return error.hint or ""
    except LabelingError as error:
        assert_type(error.path, str | None)
        assert_type(error.exit_code, int)
    return labeling.__version__
