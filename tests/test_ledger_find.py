"""Finding the records of a file: by its bytes, by its content id, and by what its picture looks like."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import labeling
import labeling.fingerprint
from labeling.errors import UnreadableFile
from labeling.ledger import Ledger, entry_of

from .ledgers import PRODUCER, entry
from .pictures import MAKERS, rgb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_labelled_picture_is_found_by_bytes_by_number_and_by_looks(path: Path, tmp_path: Path) -> None:
    labeler = labeling.Labeler(producer=PRODUCER)
    rgb(900, 600).save(tmp_path / "photo.png")
    with Ledger.open(path) as ledger:
        done = labeler.label_file(tmp_path / "photo.png", tmp_path / "out.png", content_id="job-42")
        record = ledger.record(done, source="photo.png", key="run/photo.png")
        other = ledger.record(labeler.label_image(rgb(900, 600, seed=9), "jpeg"))
        assert (record.output, record.media_type, record.profile) == ("out.png", "image/png", "cn")
        assert record.size == (tmp_path / "out.png").stat().st_size
        assert record.fields["ContentProducer"] == PRODUCER
        assert (other.output, other.recipient, other.media_type) == ("", None, "image/jpeg")

        def found(source: Any) -> list[tuple[str, str]]:
            return [(match.by, match.record.content_id) for match in ledger.find(source)]

        assert found(tmp_path / "out.png") == [("sha256", "job-42")]
        image = Image.open(tmp_path / "out.png")
        relabelled = labeler.label_file(tmp_path / "out.png", tmp_path / "again.png").path
        relabelled.write_bytes(relabelled.read_bytes() + b"\0")
        assert found(relabelled) == [("content id", "job-42")]
        small = image.convert("RGB").resize((450, 300))
        stripped = saved(small, "JPEG", quality=50)
        assert b"job-42" not in stripped
        assert found(stripped) == [("fingerprint", "job-42")]
        assert found(small) == [("content id", "job-42")]  # Pillow carries the packet along in its info
        small.info.clear()
        assert found(small) == [("fingerprint", "job-42")]
        assert found(rgb(900, 600, seed=5)) == []
        cut = (tmp_path / "out.png").read_bytes()[:-4000]  # the label is still there, the picture is not
        assert found(cut) == [("content id", "job-42")]
        assert ledger.find(stripped, distance=-1) == []
        with pytest.raises(UnreadableFile):
            ledger.find(tmp_path / "none.png")


def test_the_number_of_another_provider_is_not_ours_and_a_copied_one_shows(path: Path) -> None:
    ours, others = labeling.Labeler(producer=PRODUCER), labeling.Labeler(producer="other-service")
    with Ledger.open(path) as ledger:
        ledger.record(ours.label_image(rgb(400, 300), "png", content_id="job-42"))
        assert ledger.find(others.label_image(rgb(400, 300, seed=7), "png", content_id="job-42").data) == []
        [match] = ledger.find(ours.label_image(rgb(400, 300, seed=7), "png", content_id="job-42").data)
        assert match.by == "content id"
        assert match.distance is not None
        assert match.distance > 80  # another picture under our number


def test_every_format_is_recorded_and_found_by_its_bytes(path: Path) -> None:
    labeler = labeling.Labeler(producer=PRODUCER, visible=False)
    made = [labeler.label_image(MAKERS[name](), content_id=name) for name in MAKERS if not name.endswith(".bmp")]
    with Ledger.open(path) as ledger:
        ledger.append([entry_of(each) for each in made])
        for each in made:
            assert ledger.find(each.data)[0].record.content_id == each.label.content_id
        with_fingerprint = [record for record in ledger.export() if record.fingerprint]
        assert len(with_fingerprint) > 0.8 * len(made)  # some of these small pictures have too little to see


def test_fingerprints_are_found_in_full_blocks_and_behind_them(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 9001)])
        picture = rgb(600, 400)
        near = labeling.fingerprint.fingerprint(picture)
        assert near is not None
        flipped = bytes([near[0] ^ 0b111]) + near[1:32]
        for count, number in ((1, 20_000), (2, 20_001)):
            ledger.append([entry(number, fingerprint=flipped)])
            assert [match.distance for match in ledger.find(picture)] == [3] * count
            ledger.append([entry(n) for n in range(20_002, 25_000)])
        assert ledger.find(picture, distance=2) == []
        assert ledger.verify().intact
    with Ledger.open(path) as ledger:  # cold
        matches = ledger.find(picture)
        assert {match.record.content_id for match in matches} == {"id-20000", "id-20001"}


def test_bits_are_counted_alike_by_every_numpy() -> None:
    import numpy as np

    from labeling.keypoints import count_bits_by_table

    words = np.random.default_rng(1).integers(0, 1 << 64, (4, 500), np.uint64)
    words[0, :2] = 0, 2**64 - 1
    assert count_bits_by_table(words).tolist() == [[int(word).bit_count() for word in row] for row in words]
