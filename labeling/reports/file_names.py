"""Names of files as a list shows them: a common folder is shown once."""

from __future__ import annotations

import os
from collections.abc import Sequence


def in_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Return the folder that all paths share and their names in it; the folder is ``""`` if that saves nothing."""
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths]) if len(paths) > 1 else ""  # noqa: PTH120 - a Path would normalise the name
    except ValueError:  # absolute and relative ones, or several drives
        folder = ""
    if not folder.strip(os.sep + "."):
        return "", list(paths)
    return folder, [path.removeprefix(folder).lstrip(os.sep) for path in paths]
