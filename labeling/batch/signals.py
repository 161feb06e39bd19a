"""What SIGINT and SIGTERM do to a session."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from labeling.batch.session import Session


@contextmanager
def stopping_on_signals(session: Session) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the session, and a second one interrupt it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if session.progress.stopping:
            raise KeyboardInterrupt
        session.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
