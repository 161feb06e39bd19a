"""Check an upload and act on the verdict, as Art. 6 of the Labelling Measures requires of a platform.

The evidence decides which notice the platform shows: "AI-generated" if an implicit label says so, "possibly" if only
the uploader says so, "suspected" if other traces do. If nothing is found, that proves nothing.

Run it with an output folder:  python samples/check_upload.py demo-output/uploads
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from pictures import MODEL, PROVIDER, generate

import labeling

NOTICES = {
    "confirmed": "publish with the notice: AI-generated",
    "possible": "publish with the notice: possibly AI-generated",
    "suspected": "publish with the notice: suspected to be AI-generated",
    "none": "publish",
}


def decide(upload: bytes, *, declared_ai: bool = False) -> str:
    """Say what to do with an upload. Bad files never raise anything but ``LabelingError``."""
    try:
        report = labeling.verify(upload, profile="cn", declared_ai=declared_ai)
    except labeling.LabelingError as error:
        return f"reject: {error}"
    if not report.readable:
        return f"reject: {report.problems[0]}"
    wrong = sorted({defect.rule for finding in report.findings for defect in finding.defects})
    return NOTICES[report.origin] + (f" (and tell the uploader: {', '.join(wrong)})" if wrong else "")


def uploads() -> dict[str, tuple[bytes, bool]]:
    """Return what users send: (file, whether the user declares it as AI)."""
    picture = generate("mountains in the mist at dawn")
    plain = io.BytesIO()
    picture.save(plain, "PNG")
    labelled = labeling.Labeler(producer=PROVIDER, generator=MODEL).label_image(picture, "png").data
    return {
        "labelled.png": (labelled, False),
        "declared.png": (plain.getvalue(), True),
        "plain.png": (plain.getvalue(), False),
        "truncated.png": (labelled[: len(labelled) // 2], False),
        "notes.png": (b"not a picture at all", False),
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (upload, declared) in uploads().items():
        (folder / name).write_bytes(upload)
        print(f"{name}: {decide(upload, declared_ai=declared)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/samples/uploads"))
