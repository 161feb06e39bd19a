"""What an isolated process costs: the same files verified in a warm child and in this process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import labeling
from benchmarks import _pictures
from benchmarks._measure import Row, Settings, race


def isolate(settings: Settings) -> Iterator[Row]:
    """A picture of 12 megapixels with its pixels, and the metadata of it a hundred times."""
    path = settings.scratch / "isolate.jpg"
    _pictures.photo(4000, 3000, seed=1).save(path, quality=92)

    def metadata(isolated: bool) -> None:
        for _ in range(100):
            labeling.verify(path, visible=False, isolate=isolated)

    for work, verify, full in (
        ("verify 12 megapixels, isolated", partial(labeling.verify, path), 21),
        ("verify the metadata of 100 files, isolated", None, 21),
    ):
        ours = partial(metadata, True) if verify is None else partial(verify, isolate=True)
        other = partial(metadata, False) if verify is None else verify
        yield race(work, "the same in this process", ours, other, settings.repetitions(full), None, "")
