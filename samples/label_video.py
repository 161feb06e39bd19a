"""Write frames from a generator straight into a labelled video, and verify it.

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
    """Stand in for your model: a slow pan over one picture. Each frame is (H, W, 3) uint8 RGB."""
    width, height = SIZE
    wide = np.asarray(generate("northern lights over a lake", size=(width + FPS * SECONDS, height)))
    return [np.ascontiguousarray(wide[:, shift : shift + width]) for shift in range(FPS * SECONDS)]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labeler = labeling.Labeler(producer=PROVIDER, generator=MODEL, generator_version=VERSION)

    # One encode: the label is drawn on the encoder's copy of each frame, the metadata is written at the end.
    with labeler.open_video(folder / "generated.mp4", size=SIZE, fps=FPS, content_id="clip-1") as video:
        for frame in frames():
            video.write(frame)
    assert video.result is not None
    print(f"{video.result.path}: {video.result.report.verdicts['cn'].outcome}, {'; '.join(video.result.how)}")

    # The label may disappear after two seconds (GB 45438-2025 5.4); verify says when it is there.
    with labeler.open_video(folder / "longer.mp4", size=SIZE, fps=FPS, seconds=2) as video:
        for frame in frames():
            video.write(frame)
    report = labeling.verify(folder / "longer.mp4")
    visible = report.find("visible")
    assert visible is not None
    print(f"{report.path}: {visible.value['text']} from {visible.value['seconds'][0]} s on")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/samples/videos"))
