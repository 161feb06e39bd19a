"""Films: frames straight from a generator into a labelled film, and what verify says of it.

Run it with an output folder:  python samples/label_video.py demo-output/video
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pictures import MODEL, PROVIDER, VERSION, generate

import labeling

SIZE, FPS, SECONDS = (640, 360), 24, 5


def frames() -> list[np.ndarray]:
    """Stands for your model: a slow pan over one picture. Each frame is (H, W, 3) uint8 RGB."""
    width, height = SIZE
    wide = np.asarray(generate("northern lights over a lake", size=(width + FPS * SECONDS, height)))
    return [np.ascontiguousarray(wide[:, shift : shift + width]) for shift in range(FPS * SECONDS)]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labeler = labeling.Labeler(producer=PROVIDER, generator=MODEL, generator_version=VERSION)

    # One encode: the label is drawn on the encoder's copy of each frame, the metadata is written at the end.
    with labeler.open_video(folder / "generated.mp4", size=SIZE, fps=FPS, content_id="clip-1") as film:
        for frame in frames():
            film.write(frame)
    assert film.result is not None
    print(f"{film.result.path}: {film.result.report.verdicts['cn'].outcome}, {'; '.join(film.result.how)}")

    # The label may go again after two seconds (GB 45438-2025 5.4); verify says when it is there.
    with labeler.open_video(folder / "longer.mp4", size=SIZE, fps=FPS, seconds=2) as film:
        for frame in frames():
            film.write(frame)
    report = labeling.verify(folder / "longer.mp4")
    visible = next(finding for finding in report.findings if finding.kind == "visible")
    print(f"{report.path}: {visible.value['text']} from {visible.value['seconds'][0]} s on")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/samples/films"))
