"""For every rule and every medium a file that breaks it and one that keeps it, or the reason why there is none.

The files are made when they are asked for. ``tools/make_docs.py`` takes the words of :data:`CASES` for docs/rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MEDIA = ("image", "video", "audio")

Maker = Callable[[str], bytes]


@dataclass(frozen=True)
class Case:
    """One rule: what breaks it in words, the makers of both files by their names in tests/rule_makers.py.

    ``without`` are the media for which there is no such file, and why; ``never_kept`` says why no file can keep it.
    ``options`` go to ``verify``, ``kept_options`` for the file that keeps the rule; ``name`` is that of the file.
    """

    rule: str
    example: str
    broken: str
    kept: str = "good"
    without: Mapping[str, str] = field(default_factory=dict)
    never_kept: str = ""
    never_broken: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    kept_options: Mapping[str, Any] | None = None
    name: str = ""


_SEEN = {"visible": True}
_ONLY_PICTURES = {"video": "a rule for pictures", "audio": "a rule for pictures"}
_ONLY_SEEN = {"audio": "nothing is seen in audio"}
_WATERMARK = "no reader of watermarks is built yet"
_NOT_A_FILE = "it depends on the machine or on the options, and not on the file"
_JPEG = {"video": "Extended XMP is a part of JPEG", "audio": "Extended XMP is a part of JPEG"}
_OTHER_TEST = "made by another test: "

CASES: tuple[Case, ...] = (
    # --- China: the implicit label
    Case("CN-IMPLICIT-MISSING", "no AIGC field", "bare"),
    Case("CN-IMPLICIT-BASE64", "the JSON in Base64", "base64"),
    Case("CN-IMPLICIT-CHARACTERS", "a producer's name in Chinese", "chinese_name", "code"),
    Case("CN-IMPLICIT-ENCODING", "JSON in UTF-16", "utf16"),
    Case("CN-IMPLICIT-EXTRA-KEYS", "an eighth key", "extra_key"),
    Case("CN-IMPLICIT-JSON", "a brace is missing", "no_json"),
    Case("CN-IMPLICIT-KEY-NAME", "keys in lower camel case", "camel_case"),
    Case("CN-IMPLICIT-KEYS", "no ReservedCode2 (warning)", "no_reserved"),
    Case("CN-IMPLICIT-LABEL", "Label 4", "label_4"),
    Case("CN-IMPLICIT-LEGACY", "the keys of 2023", "legacy"),
    Case("CN-IMPLICIT-NAMESPACE", "AIGC in a namespace of its own", "namespace"),
    Case("CN-IMPLICIT-ONE", "two AIGC properties", "twice_there"),
    Case("CN-IMPLICIT-ORDER", "ProduceID first", "order"),
    Case("CN-IMPLICIT-PROPAGATOR", "an empty ContentPropagator", "no_propagator"),
    Case("CN-IMPLICIT-REQUIRED", "an empty ProduceID", "no_id"),
    Case("CN-IMPLICIT-SPLIT", "a property for each key", "split"),
    Case("CN-IMPLICIT-STRINGS", "ReservedCode1 is null", "null"),
    Case("CN-IMPLICIT-TWICE", "JSON in a JSON string", "encoded_twice"),
    Case("CN-PROVIDER-CODE", "a name instead of a code", "named", "code"),
    Case("CN-SECURITY-SIGNATURE", "a signature of another label", "wrong_security", "security"),
    Case("PLATFORM-PROPAGATOR", "the producer's values in the propagator's half", "good", "propagated"),
    Case("CN-RECORDED-COPY", "a copy that a ledger knows", "",
         never_broken=f"it depends on a ledger: {_OTHER_TEST}tests/test_ledger_recorded.py"),
    # --- China: the explicit label
    Case("CN-VISIBLE-MISSING", "no text on it", "bare", "drawn", _ONLY_SEEN, options=_SEEN),
    Case("CN-VISIBLE-SKIPPED", "any file, with --no-visible", "good", "drawn", kept_options=_SEEN),
    Case("CN-VISIBLE-WORDING", "AI GENERATED", "english", "drawn", _ONLY_SEEN, options=_SEEN),
    Case("CN-VISIBLE-SIZE", "text of 3 %", "small", "drawn", _ONLY_SEEN, options=_SEEN),
    Case("CN-VISIBLE-POSITION", "text in the middle", "inside", "drawn", _ONLY_PICTURES, options=_SEEN),
    Case("CN-VISIBLE-CONTRAST", "grey on grey", "faint", "drawn", _ONLY_SEEN, options=_SEEN),
    Case("CN-VISIBLE-FRAMES", "a GIF whose second frame lacks it", "second_frame", "drawn", _ONLY_PICTURES,
         options=_SEEN),
    Case("CN-VISIBLE-TIME", "text for one second", "one_second", "drawn",
         {"image": "a rule for video", "audio": "a rule for video"}, options=_SEEN),
    Case("CN-AUDIBLE-SPEECH", "sound without the rhythm", "bare", "rhythm",
         {"image": "a rule for audio", "video": "a rule for audio"}, options=_SEEN),
    # --- Europe
    Case("EU-MARKED", "no mark at all", "bare"),
    Case("EU-SIGNED", "metadata without a signature", "good", "signed_good"),
    Case("EU-TIME-STAMP", "a signature without a time stamp", "signed_good", "stamped"),
    Case("EU-TRUSTED", "a signer on no list", "signed_good", "signed_good", kept_options={"trust": "ours"}),
    Case("EU-STAMP-AUTHORITY", "a time stamp by an authority on no list", "stamped", "stamped",
         kept_options={"trust": "ours"}),
    Case("EU-WATERMARK", "no watermark", "signed_good", never_kept=_WATERMARK),
    Case("EU-ROBUST", "metadata alone", "good", never_kept=_WATERMARK),
    Case("EU-VISIBLE", "no text on it", "bare", "english", _ONLY_SEEN, options=_SEEN),
    Case("EU-ELEMENT", "KI-generiert", "german", "english", _ONLY_SEEN, options=_SEEN),
    # --- California
    Case("US-CA-PROVIDER", "a provider code instead of a name", "good", "named"),
    Case("US-CA-SYSTEM", "AISystemUsed names this tool", "our_tool"),
    Case("US-CA-VERSION", "no version", "no_version"),
    Case("US-CA-TIME", 'CreateDate is "2026"', "a_year"),
    Case("US-CA-ID", "an empty ProduceID", "no_id"),
    Case("US-CA-CREATED", "Label 3 alone", "label_3"),
    Case("US-CA-INTEROPERABLE", "AIGC in a namespace of its own, and nothing else", "only_foreign"),
    Case("US-CA-PERMANENT", "no watermark", "good", never_kept=_WATERMARK),
    # --- Washington, India, Korea
    Case("US-WA-PROVENANCE", "a manifest whose file was changed", "changed", "signed_good"),
    Case("IN-VISIBLE", "no text on it", "bare", "english", _ONLY_SEEN, options=_SEEN),
    Case("IN-AUDIBLE", "the rhythm instead of words", "rhythm", "good",
         {"image": "a rule for audio", "video": "a rule for audio"}, options=_SEEN,
         never_kept="a spoken disclosure is tested as evidence in tests/test_elsewhere.py"),
    Case("IN-IDENTIFIER", "a producer's name, and no system", "name_alone"),
    Case("IN-PERMANENT", "no watermark", "good", never_kept=_WATERMARK),
    Case("KR-MARKED", "no mark at all", "bare", options=_SEEN),
    Case("KR-NOTICE", "metadata alone", "good", "bare", options=_SEEN),
    Case("KR-WORDING", "AI GENERATED", "english", "bare", _ONLY_SEEN, options=_SEEN),
    Case("PROFILE-NOT-IN-FORCE", "any file under us-wa, on 2026-01-01", "good", options={"as_of": "2026-01-01"},
         kept_options={"as_of": "2027-02-01"}),
    # --- marks against each other
    Case("MARKS-CONTRADICT", "Label 1 beside digitalCapture", "camera"),
    # --- C2PA
    Case("C2PA-BROKEN", "a file changed after signing", "changed", "signed_good"),
    Case("C2PA-HASH-MISMATCH", "a file changed after signing", "changed", "signed_good"),
    Case("C2PA-SIGNATURE", "a claim changed after signing", "other_claim", "signed_good"),
    Case("C2PA-ASSERTION", "an assertion changed after signing", "other_assertion", "signed_good"),
    Case("C2PA-MALFORMED", "a box of the manifest renamed", "no_manifest", "signed_good"),
    Case("C2PA-NO-SOURCE-TYPE", "c2pa.created without a source type", "no_source_type", "signed_good"),
    Case("C2PA-ACTION", "c2pa.opened without an ingredient", "no_ingredient", "signed_good"),
    Case("C2PA-CREDENTIAL", "a certificate for web servers", "for_servers", "signed_good"),
    Case("C2PA-EXPIRED", "an expired certificate and no time stamp", "expired", "signed_good"),
    Case("C2PA-REVOKED", "a revoked certificate", "revoked", "signed_good", options={"trust": "ours"}),
    Case("C2PA-TIME-STAMP", "a time stamp of something else", "stamp_of_other", "stamped"),
    Case("C2PA-INGREDIENT", "an ingredient that does not validate", "", "signed_good",
         never_broken="c2pa puts it beside the active manifest, and the report in ingredient_validation_codes"),
    Case("C2PA-ALGORITHM", "a hash algorithm that is not allowed", "", "signed_good",
         never_broken="c2pa's builder writes none; the code is judged in tests/marks/test_credentials_read.py"),
    Case("C2PA-UNSUPPORTED", "a manifest in JPEG XL", "jpeg_xl", "signed_good",
         dict.fromkeys(("video", "audio"), "every such format can be checked")),
    # --- IPTC and XMP
    Case("IPTC-DST-CONFLICT", "two source types", "two_types"),
    Case("IPTC-DST-NAMESPACE", "the source type in another namespace", "type_elsewhere"),
    Case("IPTC-DST-TERM", "a term of no vocabulary", "odd_term"),
    Case("IPTC-DST-URI", "the bare term", "bare_term"),
    Case("XMP-BROKEN", "an end tag of another name", "broken_xmp"),
    Case("XMP-EXTENDED", "an extension that the main packet does not name", "stray_extension", "good", _JPEG),
    # --- files
    Case("FILE-NAME", "a name with another extension", "good", "good", name="a.gif"),
    Case("FILE-CONFIDENCE", "a label found with less confidence than 1", "small", "small", _ONLY_SEEN,
         options={"visible": True, "min_confidence": 1.0}, kept_options=_SEEN),
    Case("FILE-DENIAL", "Not AI generated", "denied", "drawn", _ONLY_SEEN, options=_SEEN),
    Case("FILE-LETTERS", "AI with Cyrillic letters of no wording", "", "drawn", _ONLY_SEEN, options=_SEEN,
         never_broken=f"{_OTHER_TEST}tests/test_eu_wording.py"),
    Case("FILE-DAMAGED", "the file cut off in its first half", "cut", "good"),
    Case("FILE-PIXELS", "coded data that are zeros", "zeros", "drawn", options=_SEEN),
    Case("FILE-PARTS", "a second page without the label", "second_page", "drawn",
         {"video": f"{_OTHER_TEST}tests/test_video_tracks.py", "audio": "nothing is seen in audio"}, options=_SEEN),
    Case("FILE-STRUCTURE", "a picture without its end marker", "no_end", "drawn",
         dict.fromkeys(("video", "audio"), f"{_OTHER_TEST}tests/containers/"), options=_SEEN),
    Case("FILE-UNREAD", "a field that is packed and cannot be unpacked", "packed", "good",
         dict.fromkeys(("video", "audio"), f"{_OTHER_TEST}tests/test_unread_places.py")),
    Case("FILE-UNREADABLE", "random bytes", "random", "good",
         dict.fromkeys(("video", "audio"), "what is no file of a known format has no medium")),
    Case("FILE-DECODER", "", "", never_broken=_NOT_A_FILE),
    Case("FILE-LIMITS", "", "", never_broken=_NOT_A_FILE),
    Case("FILE-UNCHECKED", "", "", never_broken=_NOT_A_FILE),
    # --- custom profiles
    *(
        Case(f"CUSTOM-REQUIRED-{kind.upper()}", "a mark that the profile requires is not there", "bare", kept,
             without, never_kept, options={"desk": True, "visible": kind == "visible"})
        for kind, kept, without, never_kept in (
            ("aigc", "good", {}, ""),
            ("visible", "drawn", _ONLY_SEEN, ""),
            ("c2pa", "signed_good", {}, ""),
            ("iptc", "good", {}, ""),
            ("exif", "good", {}, "no reader reports a finding of that kind"),
            ("generator", "trace", {}, ""),
            ("watermark", "good", {}, _WATERMARK),
        )
    ),
    Case("CUSTOM-TRUSTED", "a signer on no list", "signed_good", "signed_good", options={"desk": True},
         kept_options={"desk": True, "trust": "ours"}),
)  # fmt: skip


def figures() -> tuple[int, int, int]:
    """How many cells of rule, medium and pass or fail there are, how many have a file, and how many cannot have one."""
    cells = [(case, medium, kind) for case in CASES for medium in MEDIA for kind in ("fail", "pass")]
    impossible = sum(bool(why_not(*cell)) for cell in cells)
    return len(cells), len(cells) - impossible, impossible


def why_not(case: Case, medium: str, kind: str) -> str:
    """Why there is no such file; "" if there is one."""
    return case.without.get(medium, "") or (case.never_broken if kind == "fail" else case.never_kept)
