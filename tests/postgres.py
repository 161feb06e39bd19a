"""A real PostgreSQL server for tests: Debian's binaries, a cluster in a temporary folder, a port on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import programs

PASSWORD = "Only-for-tests:/@"


@dataclass(frozen=True)
class Server:
    """A running server. ``url`` is of a database, with the password, as a user writes it."""

    folder: Path
    port: int
    binaries: Path

    def url(self, database: str, *, user: str = "postgres", password: str = PASSWORD) -> str:
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql, PostgreSQL's own client, answers."""
        command = [self.binaries / "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-d", database]
        done = subprocess.run(
            [*map(str, command), "-At", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env=os.environ | {"PGPASSWORD": PASSWORD}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def control(self, *arguments: str) -> None:
        subprocess.run(
            [*_as_other_user(), str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120, check=True, cwd=self.folder,
        )  # fmt: skip

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")


def _as_other_user() -> list[str]:
    """The server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


@contextmanager
def running() -> Iterator[Server]:
    """Make a cluster, start it, and remove it at the end. Skips the test where PostgreSQL is not installed."""
    binaries = Path(programs.require("postgres")).parent
    folder = Path(tempfile.mkdtemp(prefix="aigc-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o644)
        make = [*_as_other_user(), str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres"]
        make += ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run([*make, "-N"], stdout=subprocess.DEVNULL, timeout=120, check=True, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(folder, port, binaries)
        server.start()
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
