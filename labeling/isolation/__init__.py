"""Processes in which strangers' bytes are read, so that a crash, a hang or a bomb ends one of them and not us.

:class:`Pool` hands requests to warm child processes and replaces those that end. It knows nothing of labels: what a
child does with a request is a function named by its module.

A child that has read hostile bytes is not trusted any more. What comes from it is JSON of bounded length, never a
pickle, and the caller checks its form. It gets neither the caller's environment nor open files, and on Linux no network
and no permission to write a file.
"""

from __future__ import annotations

from labeling.isolation.pool import Pool
from labeling.isolation.process import Lost, check_supported, is_supported

__all__ = ["Lost", "Pool", "check_supported", "is_supported"]
