"""Label pictures inside a generation loop: pixels in, a labelled file's bytes out, one encode for both.

Run it with an output folder:  python samples/generate_and_label.py demo-output/generated
"""

from __future__ import annotations

import sys
from pathlib import Path

from pictures import MODEL, PROMPTS, PROVIDER, VERSION, generate

import labeling


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Make it once: a labeler is immutable, and threads may share it.
    labeler = labeling.Labeler(producer=PROVIDER, generator=MODEL, generator_version=VERSION)

    for number, prompt in enumerate(PROMPTS, start=1):
        picture = generate(prompt, seed=number)
        labelled = labeler.label_image(picture, "jpeg", quality=92, content_id=f"job-{number:04}")

        assert labelled.report.compliant, labelled.report.to_dict()
        path = folder / f"{labelled.label.content_id}.jpg"
        path.write_bytes(labelled.data)
        print(f"{path}: {prompt!r}, {len(labelled.data) // 1024} KB, {labelled.report.verdicts['cn'].outcome}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/samples/generated"))
