"""Packets made from bytes: FFmpeg owns their memory, so that no decoder waits for the interpreter while it closes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .cuts import make_video

CLOSE_EARLY = """
import sys
import av
from labeling.codecs.packets import packet_of

with av.open(sys.argv[1]) as container:
    units = [bytes(packet) for packet in container.demux(video=0) if packet.size]
for number in range(200):
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.thread_type, decoder.thread_count = "AUTO", 4
    for unit in units[: 6 + number % 20]:
        decoder.decode(packet_of(unit))
    del decoder  # closed by a thread that holds the GIL, while its own threads decode
print("closed", number + 1)
"""


def test_decoders_of_av1_are_closed_before_their_end(tmp_path: Path) -> None:
    """With `av.Packet(data)`, this hangs within some dozen rounds."""
    source = make_video(tmp_path / "a.webm", "-c:v", "libsvtav1", "-preset", 12, "-pix_fmt", "yuv420p", size="640x360")
    done = subprocess.run([sys.executable, "-c", CLOSE_EARLY, source], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "closed 200", done.stderr


def test_no_other_code_lends_memory_to_packets() -> None:
    """`packet_of` is the one way to a packet: others take no argument."""
    library = Path(__file__).parents[2] / "labeling"
    found = [path for path in library.rglob("*.py") if "av.Packet(" in path.read_text().replace("av.Packet()", "")]
    assert [path.name for path in found] == ["packets.py"]
