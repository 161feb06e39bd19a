"""The command in a process of its own, without the CPU time that each Python takes to import it.

A server imports once what the commands import. Each command is a fork of it with its own arguments, folder, environment
and streams, and ends as any Python does. Nothing but imports has been done before: no file was read, no model loaded.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

_SERVER = """
import gc, importlib.util, json, os, pkgutil, sys, warnings
import labeling, labeling.cli

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for each in pkgutil.walk_packages(labeling.__path__, "labeling."):
        if each.name.split(".")[1] not in ("batch", "cli", "isolation"):
            importlib.import_module(each.name)
    names = "add verify inspect propagate classify transplant convert ledger trust init"
    for name in names.split():
        importlib.import_module("labeling.cli." + name)
gc.freeze()  # what is here now is no concern of a child's collector
requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
print(os.getpid(), file=replies, flush=True)
while line := requests.readline():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of threads, which nothing here has begun
        child = os.fork()
    if not child:
        break
    print(child, file=replies, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=replies, flush=True)
else:
    sys.exit()

asked = json.loads(line)
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
streams = (os.devnull, os.O_RDONLY), (asked["out"], os.O_WRONLY), (asked["err"], os.O_WRONLY)
for number, (path, flags) in enumerate(streams):
    os.dup2(os.open(path, flags), number)
sys.stdin = open(0, closefd=False)
sys.argv = [importlib.util.find_spec("labeling.cli.__main__").origin, *asked["arguments"]]
sys.path[0] = asked["cwd"]
labeling.cli.main()
"""


def run(*arguments: str | Path, timeout: float = 60, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run ``aigc-label`` with these arguments to its end.

    Args:
        arguments: What follows the command's name.
        timeout: Seconds after which it is killed, and :class:`subprocess.TimeoutExpired` raised.
        more: ``cwd`` and ``env``, as for :func:`subprocess.run`; with anything else, Python starts anew.
    """
    words = [str(each) for each in arguments]
    measured = any(name.startswith("COVERAGE_") for name in os.environ)  # a fork of the server would write no figures
    # The workers of a batch run import the program again, as it was started.
    if not hasattr(os, "fork") or measured or words[:1] == ["batch"] or not more.keys() <= {"cwd", "env"}:
        command = [sys.executable, "-m", "labeling.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, **more)
    return _server().run(words, more, timeout)


@cache
def _server() -> _Server:
    return _Server()


class _Server:
    """The process that has imported everything. It ends when its standard input does, which is when we end."""

    def __init__(self) -> None:
        root = Path(__file__).parent.parent
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        atexit.register(self._end)
        assert self._line(300), "the server of commands has not begun"

    def _end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def run(self, words: list[str], more: dict[str, Any], timeout: float) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            out.touch()
            err.touch()
            places = {"out": str(out), "err": str(err), "cwd": str(more.get("cwd") or Path.cwd())}
            request = {"arguments": words, "env": dict(more.get("env") or os.environ), **places}
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            child = int(self._line(timeout))
            if not (code := self._line(timeout)):
                os.kill(child, 9)
                self._line(timeout)
                raise subprocess.TimeoutExpired(words, timeout)
            said = [path.read_bytes().decode().replace("\r\n", "\n") for path in (out, err)]
        return subprocess.CompletedProcess(["aigc-label", *words], int(code), *said)

    def _line(self, timeout: float) -> str:
        """Return its next line, or nothing if none comes in time."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        return self.process.stdout.readline().decode() if ready else ""
