"""Verification: evidence from a file, findings with rule and clause, and a verdict for each profile.

No network call is made, and no reference in a file is followed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from labeling import containers, files
from labeling.containers import Block, Contents, Kind, Media
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.findings import Defect, Finding, Signature, Status
from labeling.gates import as_ours, guarded
from labeling.marks import aigc
from labeling.options import Verifying, options_of
from labeling.rule_catalogue import defect
from labeling.rules import Profile
from labeling.rules import profiles as profiles_named
from labeling.verification import metadata
from labeling.verification.conclusion import MAX_NAMED, UNKNOWN, conclude, notes_on_name, unreadable
from labeling.verification.manifest import credentials_of, store_beside
from labeling.verification.report import Report
from labeling.verification.unchecked import checked, unchecked, why
from labeling.verification.visible import counted, visible_of

if TYPE_CHECKING:
    from PIL import Image

    from labeling.marks.credentials import Trust, TrustChoice
    from labeling.options.isolation import Limits
    from labeling.verification.spoken_label import Known


def verify(
    source: files.Source | Image.Image,
    profile: str | Iterable[str] = "cn",
    *,
    visible: bool = True,
    trust: Trust | Literal["shipped", "none"] | None = "shipped",
    declared_ai: bool = False,
    max_pixels: int | None = None,
    pinned: Sequence[bytes] = (),
    everywhere: bool = False,
    audio_cues: Sequence[str | os.PathLike[str]] = (),
    min_confidence: float = 0.0,
    isolate: bool | Limits = False,
    timeout: float | None = None,
    as_of: date | None = None,
) -> Report:
    """Report which labels a picture, video or audio file carries, what is wrong with them, and whether it complies.

    Args:
        source: A path, a file's bytes, a binary file object, or a PIL image. Of a PIL image only ``info`` and the
            pixels are known.
        profile: One profile or several: names in :data:`labeling.PROFILES`, or paths of profiles in TOML. Two that are
            different must not have the same name.
        visible: Whether to look for the visible label, which decodes pixels. With ``False`` the report has no
            "visible" finding, and the verdict says that it was not checked.
        trust: Whose C2PA signatures count as trusted: by default those on the lists that come with the package, which
            are the C2PA trust list and the C2PA time-stamp list, each with its date. A :class:`labeling.Trust` takes
            their place; ``None`` or ``"none"`` trusts nobody, and the best signature is "valid" then.
        declared_ai: Whether the uploader declares the content to be AI-generated (Labelling Measures Art. 6).
        max_pixels: Do not decode larger pictures; by default 100 million pixels. Their metadata is judged all the
            same, and the report says that the visible label was not looked for.
        pinned: Public SM2 keys whose security data is trusted. :func:`labeling.marks.security.read_pinned` reads them.
        everywhere: Whether to look for the label in the middle and at the end of a video as well.
        audio_cues: Recordings of spoken labels that are known beside ours: paths of audio files of 0.8 to 20 s. Other
            spoken labels are not recognised.
        min_confidence: Least confidence, 0 to 1, of a visible or audible label that counts. What was found with less is
            reported, and is not present.
        isolate: Whether to read the file in a process of its own, with the default limits on time and memory or with
            those of :class:`labeling.Limits`. A file that ends it gets a report, too: on the part at which the process
            ended, it says that this was not looked at, and why. The process is kept for the next file. For Linux, and
            for paths, bytes and file objects.
        timeout: Seconds that the file may take. It is read in a process of its own then, as with ``isolate``.
        as_of: The day of the check, by default today: a verdict says if its law was not in force yet.

    Returns:
        The report. Whatever can be opened gives one, however damaged it is.

    Raises:
        LabelingError: The source cannot be read at all, or a profile does not exist; or ``isolate`` or ``timeout`` is
            asked for where they are not to be had.

    Example:
        >>> import labeling
        >>> report = labeling.verify("photo.png", ["cn", "eu"])
        >>> report.origin, str(report.verdicts["cn"].outcome)
        ('none', 'noncompliant')
        >>> for defect in report.verdicts["cn"].failed:
        ...     print(defect.rule)
        CN-IMPLICIT-MISSING
        CN-VISIBLE-MISSING
    """
    names = [profile] if isinstance(profile, str) else list(profile)
    _check_arguments(trust, max_pixels)
    options_of(Verifying)["min_confidence"].check(min_confidence)
    with guarded("verify the file", name_of(source)):
        profiles = profiles_named(names)
        if isolate is False and timeout is None:
            return examine(
                source, profiles, visible=visible, trust=trust, declared_ai=declared_ai, max_pixels=max_pixels,
                pinned=pinned, everywhere=everywhere, audio_cues=audio_cues, min_confidence=min_confidence, as_of=as_of,
            )  # fmt: skip
        from labeling.verification import isolated

        if _is_pil(source):
            raise LabelingError(
                "a PIL image is in this process already; `isolate` and `timeout` are for files",
                hint="give a path, bytes or a binary file object",
            )

        def nothing_read(name: str, problem: str) -> Report:
            return unreadable(name, problem, profiles, visible=visible, as_of=as_of)

        return isolated.verify(
            source, names, isolated.limits_of(isolate, timeout), nothing_read, trust=trust, pinned=pinned,  # type: ignore[arg-type]
            visible=visible, as_of=as_of, declared_ai=declared_ai, max_pixels=max_pixels, everywhere=everywhere,
            min_confidence=min_confidence, audio_cues=[os.path.abspath(each) for each in audio_cues],  # noqa: PTH100
        )  # fmt: skip


def examine(
    source: files.Source | Image.Image,
    profiles: list[Profile],
    *,
    visible: bool,
    trust: TrustChoice,
    declared_ai: bool,
    max_pixels: int | None,
    pinned: Sequence[bytes],
    everywhere: bool,
    audio_cues: Sequence[str | os.PathLike[str]] = (),
    min_confidence: float = 0.0,
    as_of: date | None = None,
    left_out: Mapping[str, str] = MappingProxyType({}),
    begins: Callable[[str], None] = lambda _: None,
) -> Report:
    """Verify a file in this process, as :func:`verify` describes it.

    Args:
        source: As in :func:`verify`.
        profiles: The profiles.
        visible: As in :func:`verify`.
        trust: As in :func:`verify`.
        declared_ai: As in :func:`verify`.
        max_pixels: As in :func:`verify`.
        pinned: As in :func:`verify`.
        everywhere: As in :func:`verify`.
        audio_cues: As in :func:`verify`.
        min_confidence: As in :func:`verify`.
        as_of: As in :func:`verify`.
        left_out: Why content credentials ("c2pa") or the pixels ("visible") are reported as unreadable without being
            looked at.
        begins: Hears which of these two stages begins.
    """
    fault: LabelingError | None = None
    data: Media = b""
    recordings = _recordings(audio_cues)
    with contextlib.ExitStack() as stack:
        if _is_pil(source):
            name, contents = "<image>", contents_of_image(source)
        else:
            name, data = files.open_source(source, containers.is_media)  # type: ignore[arg-type]
            if isinstance(data, FileBytes):
                stack.enter_context(data)
            try:
                contents, fault = _contents_of(data)
            except UnsupportedFormat as error:
                kind = containers.unread(data)
                media_type = kind.media_type if kind is not None else UNKNOWN
                return unreadable(name, str(error), profiles, visible=visible, media_type=media_type, as_of=as_of)
        pixels_of = source if _is_pil(source) else data
        damaged = isinstance(data, bytes) and (contents.problems or contents.warnings) and not _is_pil(source)
        if damaged and "visible" not in left_out:
            from labeling import codecs

            assert isinstance(data, bytes)
            begins("visible")
            if (mended := codecs.mended(data, contents, max_pixels=max_pixels)) is not None:
                # The signature is judged by the file as it is.
                pixels_of, missing = mended
                note = f"the {missing} at the end of the file is missing; everything else is there"
                contents = replace(containers.read(pixels_of), notes=(note,))
        found = metadata.scan(contents)
        findings = _in_metadata(contents, found, pinned) if fault is None else unchecked(("aigc", "iptc"), fault)
        findings += checked(
            ["c2pa"], "check the content credentials",
            lambda: [_credentials_of(source, data, contents, found, trust, fault, left_out, begins)],
        )  # fmt: skip
        if visible and "visible" in left_out:
            findings.append(_not_looked_at("visible", left_out["visible"]))
        elif visible:
            begins("visible")
            traces: list[Finding] = []
            findings += checked(
                ["visible"], "look for the visible label",
                lambda: [
                    counted(
                        visible_of(
                            pixels_of, contents, found.orientation, profiles, max_pixels, everywhere=everywhere,
                            traces=traces, recordings=recordings,
                        ),
                        min_confidence,
                    )
                ],
            )  # fmt: skip
            findings += traces
        notes = tuple(why(each) for each in found.faults)
        notes += _unread_beside(found, findings)
        notes += () if _is_pil(source) else notes_on_name(name, contents)
        return conclude(
            name, contents, findings, profiles, visible=visible, declared_ai=declared_ai, notes=notes, as_of=as_of
        )


def _recordings(paths: Sequence[str | os.PathLike[str]]) -> tuple[Known, ...]:
    if not paths:
        return ()
    if isinstance(paths, str | os.PathLike):
        raise LabelingError("`audio_cues` must be a list of paths, not one")
    from labeling.verification import spoken_label

    return spoken_label.from_files(paths)


def _check_arguments(trust: TrustChoice, max_pixels: int | None) -> None:
    if trust not in (None, "none", "shipped") and not callable(getattr(trust, "settings", None)):
        raise LabelingError(f'`trust` must be a Trust, "shipped", "none" or None, not {trust!r:.80}')
    if max_pixels is not None and (type(max_pixels) is not int or max_pixels < 1):
        raise LabelingError(f"`max_pixels` must be a whole number from 1 on, not {max_pixels!r}")


def name_of(source: Any) -> str | os.PathLike[str] | None:
    """Return the path of a source, to be named in errors; ``None`` for whatever is no path."""
    return source if isinstance(source, str | os.PathLike) else None


def _contents_of(data: Media) -> tuple[Contents, LabelingError | None]:
    """Read the metadata of a file. A fault of the reader's is returned: the pixels and the manifest may be checked."""
    try:
        return containers.read(data), None
    except LabelingError:
        raise
    except Exception as error:
        fault = as_ours(error, "read the file's metadata")
        row = containers.identify(data)
        if row is None:
            raise fault from error
        return Contents(row.name, row.media_types[0], problems=(fault.reason,)), fault


def _in_metadata(contents: Contents, found: metadata.Found, pinned: Sequence[bytes]) -> list[Finding]:
    def judge() -> list[Finding]:
        found.aigc = [aigc.with_pinned(finding, pinned) for finding in found.aigc]
        return [*metadata.findings(contents, found)]

    return checked(("aigc", "iptc"), "judge the labels in the metadata", judge)


def _credentials_of(
    source: Any, data: Media, contents: Contents, found: metadata.Found, trust: TrustChoice,
    fault: LabelingError | None, left_out: Mapping[str, str], begins: Callable[[str], None],
) -> Finding:  # fmt: skip
    if "c2pa" not in left_out:
        begins("c2pa")
    elif fault is not None:
        return _not_looked_at("c2pa", left_out["c2pa"])
    if fault is not None:  # where the manifest is in the file is not known here, but c2pa's reader may find it
        from labeling.marks import credentials

        finding = credentials.read(data, contents.media_type, trust=trust)
        return unchecked(["c2pa"], fault)[0] if finding.status is Status.ABSENT else finding
    try:
        store = None if _is_pil(source) else store_beside(source, contents)
    except LabelingError as error:
        return unchecked(["c2pa"], error)[0]
    if "c2pa" in left_out and (store is not None or found.c2pa):
        return _not_looked_at("c2pa", left_out["c2pa"])
    return credentials_of(data, contents, found, trust, store)


def _not_looked_at(kind: str, why: str) -> Finding:
    return Finding(kind, Status.UNREADABLE, "", {}, Signature.NONE, (defect("FILE-LIMITS", why),))


def _unread_beside(found: metadata.Found, findings: Iterable[Finding]) -> tuple[Defect, ...]:
    """Return what could not be read beside a label that was found: nobody knows whether it is the only one."""
    said = {each.message for finding in findings for each in finding.defects}
    hidden = dict.fromkeys(each for finding in found.broken for each in finding.defects if each.message not in said)
    return tuple(hidden)[:MAX_NAMED]


def _is_pil(source: Any) -> bool:
    return hasattr(source, "getbands") and hasattr(source, "info")


def contents_of_image(image: Any) -> Contents:
    """Return the metadata of a PIL image. It has no file; what Pillow kept of one is in ``info``."""
    blocks: list[Block] = []
    for key, value in image.info.items():
        if not isinstance(key, str) or not isinstance(value, str | bytes):
            continue
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
        kind = {"xmp": Kind.XMP, "XML:com.adobe.xmp": Kind.XMP, "exif": Kind.EXIF, "comment": Kind.COMMENT}.get(key)
        if kind is Kind.XMP and any(block.kind is Kind.XMP for block in blocks):
            continue  # Pillow gives a PNG's packet under both names
        if kind is None and isinstance(value, str):
            kind = Kind.TEXT
        if kind is not None:
            raw = raw.removeprefix(b"Exif\0\0") if kind is Kind.EXIF else raw
            blocks.append(Block(kind, f"PIL info {key!r}", 0, 0, raw, key if kind is Kind.TEXT else ""))
    media_type = image.get_format_mimetype() if hasattr(image, "get_format_mimetype") else None
    return Contents("", media_type or UNKNOWN, tuple(blocks), (), *image.size)
