"""Calls of a function are counted while it does what it always does."""

from __future__ import annotations

from typing import Any

import pytest


def counted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[tuple[Any, ...]]:
    """Return a list that gets the arguments of every call from now on."""
    calls: list[tuple[Any, ...]] = []
    real = getattr(where, name)

    def counting(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        return real(*arguments, **more)

    monkeypatch.setattr(where, name, counting)
    return calls
