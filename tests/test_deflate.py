"""Deflate by zlib-ng and ISA-L, and by zlib where they are missing: zlib is the witness."""

from __future__ import annotations

import subprocess
import sys
import zlib

import pytest

from labeling import deflate

DATA = b"".join(n.to_bytes(2, "little") * (n % 7) for n in range(20_000))
HALF = len(DATA) // 2

WAYS = {
    "stored": {"level": 0},
    "huffman": {"level": 1, "huffman": True},
    "run lengths": {"level": 1, "rle": True},
    **{f"level {level}": {"level": level} for level in (1, 3, 5, 9)},
    "fast": {},
}


def _compressor(how: str, *, raw: bool = False, before: bytes = b"") -> deflate.Compressor:
    if how == "fast":
        return deflate.fast_compressor(raw=raw, before=before)
    options = WAYS[how]
    return deflate.compressor(
        int(options["level"]),
        huffman=bool(options.get("huffman")),
        rle=bool(options.get("rle")),
        raw=raw,
        before=before,
    )


@pytest.mark.parametrize("how", WAYS)
def test_every_way_makes_a_stream_that_zlib_reads(how: str) -> None:
    one = _compressor(how)
    made = one.compress(DATA[:HALF]) + one.compress(memoryview(DATA)[HALF:]) + one.flush()
    assert zlib.decompress(made) == DATA
    assert zlib.decompress(_compressor(how).flush()) == b""
    # Two parts, the second of which refers to the first, joined as one stream.
    first, second = _compressor(how, raw=True), _compressor(how, raw=True, before=DATA[:HALF][-deflate.WINDOW :])
    joined = first.compress(DATA[:HALF]) + first.flush(deflate.SYNC) + second.compress(DATA[HALF:]) + second.flush()
    assert zlib.decompress(joined, -15) == DATA


def test_decompression_is_bounded_and_strict() -> None:
    packed = zlib.compress(DATA) + b"more"
    stream = deflate.decompressor()
    got = stream.decompress(packed, 1000)
    assert got == DATA[:1000] and not stream.eof
    assert stream.unconsumed_tail == packed[len(packed) - len(stream.unconsumed_tail) :]
    got += stream.decompress(stream.unconsumed_tail)
    assert got == DATA and stream.eof and stream.unused_data == b"more"
    raw = deflate.decompressor(raw=True)
    assert raw.decompress(zlib.compress(DATA)[2:-4]) == DATA
    for damaged in (packed[:-5] + b"\0more", b"\0" + packed, packed[:40] + b"\xff" * 40 + packed[80:]):
        with pytest.raises(deflate.DeflateError):
            deflate.decompressor().decompress(damaged)


def test_check_sums_are_those_of_zlib() -> None:
    assert deflate.crc32(DATA[HALF:], deflate.crc32(DATA[:HALF])) == zlib.crc32(DATA)
    assert deflate.adler32(DATA[HALF:], deflate.adler32(DATA[:HALF])) == zlib.adler32(DATA)
    assert (deflate.crc32(b""), deflate.adler32(b"")) == (zlib.crc32(b""), zlib.adler32(b""))


@pytest.mark.parametrize("missing", [("isal",), ("zlib_ng",), ("isal", "zlib_ng")])
def test_without_wheels_zlib_does_the_same(missing: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        f"for name in {missing!r}: sys.modules[name] = None\n"
        "import pytest\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'not without_wheels', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout
