"""Rewrite the Tags of a Matroska file, move as little as possible, and update all positions.

The Segment is treated as a sequence of parts. The new Tags element goes to the first of these places that works:

1. in place of the old one, together with the Void elements beside it;
2. into a Void before the first cluster, where every program reads (many look no further);
3. at the end, longer than the old one, if the SeekHead lists it: this is how players find tags behind clusters;
4. before the first cluster, which moves; positions in SeekHead, Cues and clusters are updated (RFC 9559, 16);
5. at the end, if the SeekHead can list it without growing. This comes before 4 if clusters state their own positions,
   or if the Cues are too large to be rewritten.
"""

from __future__ import annotations

from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.matroska import outline
from labeling.containers.matroska.ebml import VOID, fitted, void
from labeling.containers.matroska.layout import Layout
from labeling.containers.matroska.parts import Part
from labeling.containers.matroska.tags import retagged


def edits(data: Media, found: outline.Outline, dropped: set[int], field: tuple[str, str] | None) -> list[MediaEdit]:
    """Return the edits that change the tags of a file.

    Args:
        data: The file.
        found: Its outline.
        dropped: Offsets of the SimpleTags to remove.
        field: Name and text of a SimpleTag to write.

    Raises:
        LabelingError: The file has no place for the tags.
    """
    changed = retagged(data, found.all(outline.TAGS), dropped, field)
    if not changed:
        return []
    parts = [Part(item.id, (item.start, item.end)) for item in found.items]
    home: tuple[Part | None, bytes] | None = None
    for each in changed:
        part = next((part for part in parts if each.old is not None and part.old[0] == each.old.start), None)
        if each.home:
            home = part, each.new
        elif part is not None and each.new:
            part.new = fitted(each.new, part.size)
        elif part is not None:
            part.id, part.new = VOID, void(part.size)
    layout = Layout(data, found, parts)
    layout.place(home)
    return layout.edits()
