"""Labelled videos in a browser: Chromium shows the right pictures before, at and after the cut, and plays through."""

from __future__ import annotations

import http.server
import json
import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labeling import Labeler

from .test_bad_input import PRODUCER

W, H, FPS, SECONDS, GROUP = 640, 360, 30, 4, 60
COLUMNS, ROWS = 16, 9
"""Number of blocks whose mean colours are compared between two pictures."""

SEEKS = (3.0, 1.0, 2.0, 2.0 - 1 / FPS, 0.0)
"""After, before, at the cut and one picture before it: the label ends where the second group of pictures begins."""

CODECS = {
    "h264": ["libx264", "-preset", "veryfast", "-bf", "2"],
    "vp9": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M"],
    "av1": ["libsvtav1", "-preset", "12", "-crf", "30"],
}

PAGE = """<!doctype html><meta charset="utf-8"><video muted playsinline></video><script>
const [columns, rows] = [%(columns)d, %(rows)d];
const video = document.querySelector('video'), canvas = document.createElement('canvas');
const until = (name) => new Promise((done, fail) => {
  video.addEventListener(name, done, {once: true});
  video.addEventListener('error', () => fail(new Error(`no ${name}`)), {once: true});
});
function blocks() {
  const [w, h] = [canvas.width = video.videoWidth, canvas.height = video.videoHeight];
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(video, 0, 0);
  const pixels = context.getImageData(0, 0, w, h).data, sums = new Array(columns * rows * 3).fill(0);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++)
    for (let c = 0; c < 3; c++)
      sums[(Math.floor(y * rows / h) * columns + Math.floor(x * columns / w)) * 3 + c] += pixels[(y * w + x) * 4 + c];
  return sums.map(sum => sum * columns * rows / (w * h));
}
let shown = -1;  // the time of the picture that is on the screen: 'seeked' may come before its picture does
function follow(now, picture) {
  shown = picture.mediaTime;
  video.requestVideoFrameCallback(follow);
}
video.requestVideoFrameCallback(follow);
async function on_screen(time) {  // a callback may be missed, so this only waits: the picture itself is judged
  const end = performance.now() + 5000;
  while (!(shown <= time + 1e-3 && time < shown + %(frame)s) && performance.now() < end)
    await new Promise(done => setTimeout(done, 5));
}
async function seek(time) {
  const there = until('seeked');
  video.currentTime = time;
  await there;
  await on_screen(time);
}
async function watch(name) {
  const said = {seen: []};
  try {
    const loaded = until('loadeddata');
    video.src = name;
    await loaded;
    Object.assign(said, {duration: video.duration, width: video.videoWidth, height: video.videoHeight});
    for (const time of %(seeks)s) {
      await seek(time);
      said.seen.push(blocks());
    }
    await seek(1);
    video.playbackRate = 2;  // no more pictures in a second than a screen shows, so that none need be dropped
    const ended = until('ended');
    await video.play();
    await ended;
    const quality = video.getVideoPlaybackQuality();
    Object.assign(said, {ended: video.ended, at: video.currentTime, corrupted: quality.corruptedVideoFrames});
    // A slow machine may drop the last pictures while it plays: that they are there is asked apart.
    await seek(%(last)s);
    said.last = blocks();
  } catch (error) { said.error = String(error); }
  if (video.error) said.error = `${video.error.code} ${video.error.message}`;
  return said;
}
(async () => {
  for (const name of %(names)s)
    await fetch('/result', {method: 'POST', body: JSON.stringify({name, ...await watch(name)})});
})();
</script>"""


class Server(http.server.ThreadingHTTPServer):
    """The page and the videos of a folder, with byte ranges, without which Chromium does not seek."""

    def __init__(self, folder: Path, page: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.page = folder, page.encode()
        self.said: queue.Queue[dict[str, Any]] = queue.Queue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has seen enough of a video hangs up."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, self.server.page, "text/html")
            return
        path = self.server.folder / Path(self.path).name
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, data, "video/mp4")
            return
        first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        self._answer(206, data[first : last + 1], "video/mp4", f"bytes {first}-{last}/{len(data)}")

    def do_POST(self) -> None:
        self.server.said.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(200, b"", "text/plain")

    def _answer(self, code: int, body: bytes, kind: str, part: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test says what it saw."""


def make(path: Path, codec: list[str]) -> Path:
    """A moving test picture, colours tagged so that nobody has to guess the matrix, and a tone."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={W}x{H}:r={FPS}:d={SECONDS}",
         "-f", "lavfi", "-i", f"sine=d={SECONDS}", "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
         "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv",
         "-g", str(GROUP), "-c:v", *codec, "-c:a", "aac", path],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return path


def decoded(path: Path) -> NDArray[np.float64]:
    """All pictures as FFmpeg decodes them, as mean colours of blocks: (pictures, ROWS, COLUMNS, 3), RGB."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-vf",
         "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int+full_chroma_inp",
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, ROWS, H // ROWS, COLUMNS, W // COLUMNS, 3)
    means: NDArray[np.float64] = pictures.mean(axis=(2, 4))
    return means


@pytest.fixture(scope="module")
def watched(
    chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, dict[str, Any]]]]:
    """The folder of sources and labelled videos, and what Chromium said of each of the latter."""
    folder = tmp_path_factory.mktemp("videos")
    for name, codec in CODECS.items():
        Labeler(producer=PRODUCER).label_file(make(folder / f"{name}-source.mp4", codec), folder / f"{name}.mp4")
    names = [f"{name}.mp4" for name in CODECS]
    middles = [time + 0.5 / FPS for time in SEEKS]  # the middle of a picture: no rounding decides which it is
    page = PAGE % {
        "columns": COLUMNS, "rows": ROWS, "frame": 1 / FPS, "last": SECONDS - 0.5 / FPS,
        "seeks": json.dumps(middles), "names": json.dumps(names),
    }  # fmt: skip
    server = Server(folder, page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = subprocess.Popen(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder / 'profile'}",
         "--remote-debugging-port=0",  # else it ends as soon as the page is loaded
         f"http://127.0.0.1:{server.server_address[1]}/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        said = [server.said.get(timeout=60) for _ in names]
    finally:
        browser.terminate()
        browser.wait(timeout=20)
        server.shutdown()
        server.server_close()
    yield folder, {Path(one["name"]).stem: one for one in said}


@pytest.mark.parametrize("codec", CODECS)
def test_chromium_seeks_around_the_cut_and_plays_through_it(
    watched: tuple[Path, dict[str, dict[str, Any]]], codec: str
) -> None:
    folder, videos = watched
    said = videos[codec]
    assert "error" not in said
    assert (said["width"], said["height"]) == (W, H)
    assert said["duration"] == pytest.approx(SECONDS, abs=1 / FPS)
    assert (said["ended"], said["corrupted"]) == (True, 0)
    assert said["at"] == pytest.approx(SECONDS, abs=1 / FPS)
    source = decoded(folder / f"{codec}-source.mp4")
    assert len(source) == FPS * SECONDS
    for time, colours in [*zip(SEEKS, said["seen"], strict=True), (SECONDS - 1 / FPS, said["last"])]:
        shown = np.reshape(colours, (ROWS, COLUMNS, 3))
        number = round(time * FPS)
        apart = np.abs(source - shown)[:, : ROWS // 2]  # the label is at the bottom
        assert int(apart.mean(axis=(1, 2, 3)).argmin()) == number, time
        assert apart[number].mean() < 4, time  # another matrix would make it 10
        assert apart[number].max() < 20, time  # pure green, which both clip, but not alike
        under = np.abs(source[number] - shown)[ROWS // 2 :].max()
        assert (under > 20) == (time < 2), time
