"""PostgreSQL's URLs as people have them, against a real server: by TCP, by its socket, and with a certificate."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from labeling.errors import LabelingError
from labeling.ledger import Ledger

from . import postgres
from .commands import run
from .ledgers import entry
from .pictures import rgb

SECRET = "s3cr@t/p%ss?w#rd"
USER = "ledger admin"


@pytest.fixture(scope="module")
def server(postgres_server: postgres.Server) -> postgres.Server:
    postgres_server.sql(f"CREATE ROLE \"{USER}\" LOGIN SUPERUSER PASSWORD '{SECRET}'")
    return postgres_server


_numbers = itertools.count()


@pytest.fixture
def database(server: postgres.Server) -> str:
    name = f"urls_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return name


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def application(server: postgres.Server, database: str) -> str:
    """What the server itself says of the connections to a database."""
    question = "SELECT DISTINCT application_name || ' ' || usename || ' ' || (client_addr IS NULL)"
    return server.sql(f"{question} FROM pg_stat_activity WHERE datname = '{database}'")


USERS = quote(USER)
QUOTED = quote(SECRET, safe="")

WAYS = {
    "scheme": "postgres://{user}:{quoted}@127.0.0.1:{port}/{db}",
    "pg8000": "postgresql+pg8000://{user}:{quoted}@127.0.0.1:{port}/{db}",
    "psycopg": "postgresql+psycopg://{user}:{quoted}@127.0.0.1:{port}/{db}?connect_timeout=10",
    "password as it is": "postgresql://{user}:{secret}@127.0.0.1:{port}/{db}",
    "in the query": "postgresql://127.0.0.1:{port}/{db}?user={user}&password={quoted}",
    "all in the query": "postgresql://?host=127.0.0.1&port={port}&dbname={db}&user={user}&password={quoted}",
    "two hosts": "postgresql://{user}:{quoted}@127.0.0.1:9,127.0.0.1:{port}/{db}?target_session_attrs=read-write",
    "socket": "postgresql://{user}:{quoted}@:{port}/{db}?host={folder}",
    "socket in the place of a host": "postgresql://{user}:{quoted}@{quoted_folder}:{port}/{db}",
    "mode": "postgresql://{user}:{quoted}@localhost:{port}/{db}?sslmode=prefer&gssencmode=disable&keepalives_idle=30",
    "options": "postgresql://{user}:{quoted}@localhost:{port}/{db}?options=-c%20statement_timeout%3D90s",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_url_as_people_have_it_opens_the_ledger(server: postgres.Server, database: str, way: str) -> None:
    url = WAYS[way].format(
        user=USERS, quoted=QUOTED, secret=SECRET, port=server.port, db=database, folder=server.folder,
        quoted_folder=quote(str(server.folder), safe=""),
    )  # fmt: skip
    with Ledger.open(url) as ledger:
        [record] = ledger.append([entry(1)])
        assert [record] == ledger.show("id-1")
        assert application(server, database) == f"aigc-label {USER} {'true' if 'socket' in way else 'false'}"
        for shown in (ledger.where, repr(ledger)):
            assert ":***@" in shown
            assert database in shown
            assert "s3cr" not in shown
            assert "ss%3F" not in shown


def test_what_the_url_leaves_out_comes_from_the_environment_and_the_password_file(
    server: postgres.Server, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Ledger.open(server.url(database)).close()
    settings = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGDATABASE": database, "PGUSER": USER}
    for name, value in (settings | {"PGPASSWORD": SECRET, "PGAPPNAME": "nightly"}).items():
        monkeypatch.setenv(name, value)
    with Ledger.open("postgresql://", create=False) as ledger:
        assert ledger.verify().intact
        assert application(server, database) == f"nightly {USER} false"
    with pytest.raises(LabelingError, match="user and password"):
        Ledger.open("postgresql://:wrong@", create=False)  # the URL outranks the environment
    monkeypatch.delenv("PGPASSWORD")
    with pytest.raises(LabelingError, match=r"without a password.*PGPASSWORD, in ~/\.pgpass"):
        Ledger.open("postgresql://", create=False)
    escaped = SECRET.replace(":", r"\:")
    lines = ["# of ours", f"127.0.0.1:{server.port}:other:*:wrong", f"*:*:{database}:{USER}:{escaped}", "*:*:*:*:wrong"]
    for path, named in ((tmp_path / ".pgpass", ""), (tmp_path / "elsewhere", f"?passfile={tmp_path / 'elsewhere'}")):
        path.write_text("\n".join(lines), encoding="utf-8")
        path.chmod(0o644)
        with pytest.raises(LabelingError, match="chmod 600") as caught:
            Ledger.open(f"postgresql://{named}", create=False)
        assert "s3cr" not in str(caught.value)
        path.chmod(0o600)
        with Ledger.open(f"postgresql://{named}", create=False) as ledger:
            assert ledger.verify().intact
            assert ":***" not in ledger.where
        path.unlink()


REFUSED = {
    "postgresql://admin:{secret}@127.0.0.1:9/x": (3, "admin:***@127.0.0.1:9/x", "cannot be reached"),
    "postgresql://admin:{quoted}@127.0.0.1:9/x": (3, "admin:***@127.0.0.1:9/x", "cannot be reached"),
    "postgresql://admin@no-such-host.invalid/x": (3, "admin@no-such-host.invalid/x", "cannot be reached"),
    "postgresql://admin:{quoted}@/x?host=/nowhere": (3, "host=/nowhere", "cannot be reached"),
    "postgresql://127.0.0.1:9/x?user=a&password={quoted}": (3, "a:***@127.0.0.1:9/x", "cannot be reached"),
    "postgresql://127.0.0.1:9,127.0.0.2:9/x?user=a&password={quoted}": (3, "a:***@", "none of the servers"),
    "postgresql://admin:{quoted}@host:port/x": (2, "URL cannot be read", "%40"),
    "postgresql://admin:{quoted}@127.0.0.1:99999/x": (2, "from 1 to 65535", ""),
    "postgresql://admin:{quoted}@h/x?sslmode=sometimes": (2, "sslmode", "verify-full"),
    "postgresql://admin:{quoted}@h/x?connect_timeout=soon": (2, "connect_timeout", "whole number"),
    "postgresql://admin:{quoted}@h/x?passwort={quoted}": (2, "passwort", "not known"),
    "postgresql://admin:{quoted}@h/x?service=mine": (2, "service files", ""),
    "postgresql://admin:{quoted}@h,g:1,f/x?port=1,2": (2, "number of ports", ""),
    "postgresql://admin:{quoted}@h/x/y": (2, "URL cannot be read", ""),
    "postgresql://admin:{quoted}@127.0.0.1:9/x?sslmode=verify-full&sslrootcert=/none": (3, "cannot be reached", ""),
    "host=h user=admin password={quoted}": (2, "connection string", ""),
}


@pytest.mark.parametrize("url", REFUSED)
def test_what_cannot_work_is_refused_in_one_line_with_its_exit_code(url: str) -> None:
    code, *words = REFUSED[url]
    done = run("ledger", "verify", "--ledger", url.format(secret=SECRET, quoted=QUOTED))
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    for part in ("s3cr", "p%ss", "w#rd", "p%25ss", "w%23rd"):
        assert part not in done.stderr


def test_a_server_without_ssl_is_refused_where_the_mode_demands_it(server: postgres.Server, database: str) -> None:
    with pytest.raises(LabelingError, match="has no SSL, which sslmode=require demands") as caught:
        Ledger.open(server.url(database) + "?sslmode=require")
    assert caught.value.exit_code == 3


def test_no_command_prints_a_password_that_was_written_as_it_is(
    server: postgres.Server, database: str, tmp_path: Path
) -> None:
    url = f"postgresql://{USERS}:{SECRET}@127.0.0.1:{server.port}/{database}"
    rgb(300, 200).save(tmp_path / "a.png")
    labelling = ("--producer", "x", "--no-visible", "--ledger", url)
    said = [
        run("add", "a.png", *labelling, cwd=tmp_path),
        run("batch", ".", "out", *labelling, "--include", "a.png", "--log", "json", "--workers", "1", cwd=tmp_path),
        run("ledger", "import", url, "--ledger", "copy.db", cwd=tmp_path),
        run("ledger", "vacuum", "--ledger", url),
        run("ledger", "verify", "--ledger", url),
    ]
    for done in said:
        assert done.returncode == 0, done.stderr
        for part in ("s3cr", "t/p%", "w#rd"):
            assert part not in done.stdout + done.stderr
    assert (
        f"imported 2 records of postgresql://ledger%20admin:***@127.0.0.1:{server.port}/{database}\n" in said[2].stdout
    )
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cr" in path.read_bytes()]
    assert kept == []


# --- with a certificate -----------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(secret)
    return folder / f"{name}.crt"


@pytest.fixture(scope="module")
def root(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The server with SSL on; yields its certificate."""
    import shutil

    folder = tmp_path_factory.mktemp("certificates")
    path = certificate(folder, "server")
    certificate(folder, "other")
    for end in ("crt", "key"):
        copy = server.folder / "data" / f"server.{end}"
        shutil.copy(path.with_suffix(f".{end}"), copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, "postgres")
    for value in ("on", "off"):
        server.sql(f"ALTER SYSTEM SET ssl = {value}")
        server.control("reload")
        while server.sql("SHOW ssl") != value:  # of a new connection; the server needs a moment to read it again
            time.sleep(0.02)
        if value == "on":
            yield path


def encrypted(server: postgres.Server, database: str) -> str:
    question = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    return server.sql(f"{question} WHERE datname = '{database}'")


@pytest.mark.parametrize(
    ("mode", "host", "wanted"),
    [
        ("disable", "127.0.0.1", "f"), ("allow", "127.0.0.1", "f"), ("prefer", "127.0.0.1", "t"),
        ("require", "127.0.0.1", "t"), ("verify-ca", "localhost", "t"), ("verify-full", "127.0.0.1", "t"),
    ],
)  # fmt: skip
def test_each_sslmode_does_what_libpq_says(
    server: postgres.Server, root: Path, database: str, mode: str, host: str, wanted: str
) -> None:
    given = f"&sslrootcert={root}" if mode.startswith("verify") else ""
    url = server.url(database).replace("127.0.0.1", host) + f"?sslmode={mode}{given}"
    with Ledger.open(url) as ledger:
        ledger.append([entry(1)])
        assert encrypted(server, database) == wanted
        assert ledger.where.endswith(f"/{database}?sslmode={mode}")


def test_a_certificate_that_does_not_fit_is_refused(server: postgres.Server, root: Path, database: str) -> None:
    full = server.url(database) + "?sslmode=verify-full&sslrootcert="
    wrong: dict[str, Any] = {
        f"{full}{root.with_name('other.crt')}": "certificate is not accepted .self",
        f"{full}{root}".replace("127.0.0.1", "localhost"): "certificate is not accepted .Hostname mismatch",
        f"{full}/none/root.crt": "sslrootcert .* cannot be used",
        f"{full}{root.with_suffix('.key')}": "sslrootcert .* cannot be used",
        server.url(database) + "?sslmode=verify-ca": "certificate is not accepted",
    }
    for url, words in wrong.items():
        with pytest.raises(LabelingError, match=words) as caught:
            Ledger.open(url)
        assert "Only-for-tests" not in str(caught.value)
