"""Connections to PostgreSQL as people write them: URLs, environment and password file are read as libpq reads them.

See "Connection URIs", "Parameter Key Words", "Environment Variables" and "The Password File" in the chapter "libpq" of
PostgreSQL's documentation. No message repeats any part of a URL that may belong to a password.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import ssl
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from labeling.errors import LabelingError
from labeling.ledger._errors import LedgerUnavailable, postgres_code

_FORM = "write postgresql://USER:PASSWORD@HOST/DATABASE, with @, /, ? and % of the password as %40, %2F, %3F and %25"

_ENVIRONMENT = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
    "password": "PGPASSWORD", "passfile": "PGPASSFILE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME", "options": "PGOPTIONS", "target_session_attrs": "PGTARGETSESSIONATTRS",
    "service": "PGSERVICE", "channel_binding": "PGCHANNELBINDING", "gssencmode": "PGGSSENCMODE",
}  # fmt: skip
"""What a URL may leave to the environment, by libpq's name for it."""

_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "primary"),
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "client_encoding": ("utf8", "UTF8", "utf-8", "UTF-8", "auto"),
}
"""Settings that take one of several values; of libpq's, those that are of use here."""

_NUMBERS = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count")

_KNOWN = frozenset((*_ENVIRONMENT, *_CHOICES, *_NUMBERS, "sslpassword", "fallback_application_name")) - {"service"}

_DEFAULT_PORT = 5432
_SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 - where servers listen, and nothing is written
_CONNECT_TIMEOUT = 30.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)

_PLACES = re.compile(
    r"(?P<hosts>[^/?#@\[\]:,]*(?::\d*)?(?:,[^/?#@\[\]:,]*(?::\d*)?)*|\[[0-9A-Fa-f:.%]+\](?::\d*)?)"
    r"(?:/(?P<dbname>[^/?#@]*))?(?:\?(?P<query>[a-z_]+=[^?#]*))?"
)
"""What follows the user and the password."""


@dataclass(frozen=True)
class Settings:
    """How to connect. ``values`` has libpq's settings by their names; ``repr`` shows none of them."""

    places: tuple[tuple[str, int], ...]
    values: Mapping[str, str] = field(repr=False)

    @property
    def display_name(self) -> str:
        """The URL for messages: without the password, and of the query only where a socket is and how SSL is used."""
        user = quote(self.values["user"], safe="")
        secret = ":***" if "password" in self.values else ""
        sockets = [f"host={quote(host, safe='/')}" for host, _ in self.places if host.startswith(("/", "@"))]
        mode = [f"sslmode={self.values['sslmode']}"] if "sslmode" in self.values else []
        hosts = "" if sockets else ",".join(_host_and_port(*place) for place in self.places)
        query = "&".join([*sockets, *mode])
        name = quote(self.values["dbname"], safe="")
        return f"postgresql://{user}{secret}@{hosts}/{name}" + (f"?{query}" if query else "")


def _host_and_port(host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port == _DEFAULT_PORT else f"{host}:{port}"


def settings_of(url: str) -> Settings:
    """Read a URL, and what it leaves to the environment and to defaults.

    Args:
        url: What follows ``://``. The driver that the scheme may name makes no difference.

    Raises:
        LabelingError: It is not understood, or demands something that this library does not do.
    """
    values = {name: os.environ[variable] for name, variable in _ENVIRONMENT.items() if os.environ.get(variable)}
    given = _given(url)
    if "service" in {**values, **given}:
        raise LabelingError("service files of libpq are not read for a ledger", hint=_FORM)
    for name in given:
        if name not in _KNOWN:
            raise LabelingError(
                f"the ledger's URL has the setting {name}, which is not known here",
                hint=f"known are {', '.join(sorted(_KNOWN))}",
            )
    values |= given
    for name, allowed in _CHOICES.items():
        if values.get(name, allowed[0]) not in allowed:
            raise LabelingError(f"{name} of the ledger's database must be one of {', '.join(allowed)}")
    for name in _NUMBERS:
        if not values.get(name, "0").strip().lstrip("-").isdecimal():
            raise LabelingError(f"{name} of the ledger's database must be a whole number")
    values.setdefault("user", _system_user())
    values.setdefault("dbname", values["user"])
    return Settings(_places(values), values)


def _given(url: str) -> dict[str, str]:
    """Return what a URL says. Where a password holds ``@`` or ``/`` as they are, the first reading that fits counts."""
    ends = [match.start() for match in re.finditer("@", url)]
    for end in ends or [-1]:
        found = _PLACES.fullmatch(url, end + 1)
        if found is None:
            continue
        values = {}
        user, colon, password = url[: max(end, 0)].partition(":")
        values["user"], values["dbname"] = unquote(user), unquote(found["dbname"] or "")
        values["password"] = unquote(password) if colon else ""
        hosts, ports = _split_hosts(found["hosts"])
        values |= {"host": hosts, "port": ports}
        for pair in filter(None, (found["query"] or "").split("&")):
            name, _, value = pair.partition("=")
            values["sslmode" if (name, value) == ("ssl", "true") else name] = (
                "require" if (name, value) == ("ssl", "true") else unquote(value)
            )
        if "\0" not in "".join(values.values()):
            return {name: value for name, value in values.items() if value}
    raise LabelingError("the ledger's URL cannot be read", hint=_FORM)


def _split_hosts(text: str) -> tuple[str, str]:
    """Return hosts and ports, each separated by commas as libpq has them in two settings."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port[1:]
    pairs = [each.partition(":") for each in text.split(",")]
    ports = [port for _, _, port in pairs]
    return ",".join(unquote(host) for host, _, _ in pairs), ",".join(ports) if any(ports) else ""


def _places(values: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    hosts = values["host"].split(",") if values.get("host") else values.get("hostaddr", "").split(",")
    ports = values.get("port", "").split(",")
    if len(ports) not in (1, len(hosts)) or len(hosts) > 100:
        raise LabelingError("the ledger's URL names another number of ports than of hosts", hint=_FORM)
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if not all(port == "" or (port.isdecimal() and 0 < int(port) < 1 << 16) for port in ports):
        raise LabelingError("the port of the ledger's database must be a number from 1 to 65535")
    numbers = [int(port or _DEFAULT_PORT) for port in ports]
    return tuple((host or _default_host(number), number) for host, number in zip(hosts, numbers, strict=True))


def _default_host(port: int) -> str:
    """Return the folder of a local server's socket, or else this machine by TCP."""
    for folder in _SOCKET_FOLDERS:
        if hasattr(socket, "AF_UNIX") and Path(folder, f".s.PGSQL.{port}").exists():
            return folder
    return "localhost"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise LabelingError("the ledger's URL names no user, and this process has no name", hint=_FORM) from None


# --- the password file ------------------------------------------------------------------------------------------------


def _password(settings: Settings, host: str, port: int) -> tuple[str | None, str]:
    """Return the password, and what is to be known about the password file if there is none."""
    if "password" in settings.values:
        return settings.values["password"], ""
    if named := settings.values.get("passfile"):
        path = Path(named).expanduser()
    elif os.name == "nt":
        path = Path(os.environ.get("APPDATA", "~")).expanduser() / "postgresql" / "pgpass.conf"
    else:
        path = Path("~/.pgpass").expanduser()
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > 1 << 20:
            return None, ""
        if os.name != "nt" and state.st_mode & 0o077:
            return None, f"{path} is not used, since others may read it: chmod 600 {path}"
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None, ""
    wanted = ("localhost" if host in _SOCKET_FOLDERS else host, str(port), settings.values["dbname"])
    for line in lines:
        parts = _pgpass_fields(line)
        if len(parts) >= 5 and all(
            part in ("*", value) for part, value in zip(parts, (*wanted, settings.values["user"]), strict=False)
        ):
            return parts[4], ""
    return None, ""


def _pgpass_fields(line: str) -> list[str]:
    r"""Return the fields of a line, separated by colons; ``\:`` and ``\\`` stand for the second character."""
    if line.startswith("#"):
        return []
    fields = re.findall(r"((?:\\.|[^:\\])*)(?::|$)", line)
    return [re.sub(r"\\(.)", r"\1", each) for each in fields]


# --- connecting -------------------------------------------------------------------------------------------------------


def connect(settings: Settings) -> Any:
    """Connect to the first server that answers and fits, with a driver's connection for SQLAlchemy.

    Raises:
        LedgerUnavailable: None does, or the server's certificate or this user is not accepted.
        Exception: The driver's own error, for what else the server refuses.
    """
    import pg8000

    problems: list[LabelingError] = []
    for host, port in settings.places:
        ways = _ways(settings, host)
        for way in ways:
            try:
                connection = _connection(settings, host, port, way)
            except LedgerUnavailable as error:
                problems.append(error)
                break
            except pg8000.DatabaseError as error:
                # As libpq does, where the mode leaves it open: the server may admit this user the other way only.
                if postgres_code(error) != "28000" or way == ways[-1]:
                    raise
                continue
            if _fits(settings, connection):
                return connection
            connection.close()
            problems.append(LedgerUnavailable("the server is read-only", hint="name the primary server"))
            break
    raise (
        problems[0]
        if len(problems) == 1
        else LedgerUnavailable(
            "none of the servers can be used: " + "; ".join(dict.fromkeys(error.message for error in problems))
        )
    )


def _ways(settings: Settings, host: str) -> tuple[str, ...]:
    """Return the ways in which a connection is tried: "plain", "tls" (if the server has it) or "must"."""
    mode = "disable" if host.startswith(("/", "@")) else settings.values.get("sslmode", "prefer")
    return {"disable": ("plain",), "allow": ("plain", "tls"), "prefer": ("tls", "plain")}.get(mode, ("must",))


def _connection(settings: Settings, host: str, port: int, way: str) -> Any:
    import pg8000.dbapi

    values = settings.values
    seconds = float(values["connect_timeout"]) if "connect_timeout" in values else _CONNECT_TIMEOUT
    password, advice = _password(settings, host, port)
    raw = _socket(values, host, port, seconds if seconds > 0 else None)
    try:
        if way != "plain":
            raw = _encrypted(raw, values, host, must=way == "must")
        connection = pg8000.dbapi.Connection(
            values["user"], host=host, database=values["dbname"], port=port, password=password or "", sock=raw,
            ssl_context=False,
            application_name=values.get("application_name", values.get("fallback_application_name", "aigc-label")),
            startup_params={"client_encoding": "UTF8"} | {n: values[n] for n in ("options",) if n in values},
        )  # fmt: skip
        raw.settimeout(None)  # a statement may take its time; a server that is gone is found out by TCP
    except BaseException as error:
        raw.close()
        if isinstance(error, pg8000.DatabaseError) and postgres_code(error) in ("28P01", "28000") and not password:
            raise LedgerUnavailable(
                "the server does not admit this user without a password",
                hint=advice or "give it in PGPASSWORD, in ~/.pgpass or in the URL",
            ) from None
        if isinstance(error, TimeoutError) or "timed out" in str(error.__cause__):
            raise LedgerUnavailable(f"the server does not answer within {seconds:.0f} seconds") from None
        if isinstance(error, pg8000.InterfaceError) and "uthentication" in str(error):
            raise LedgerUnavailable(
                "the server wants a way of authentication that is not known here",
                hint="scram-sha-256, md5, a password, a certificate, peer and trust are",
            ) from None
        raise
    return connection


def _socket(values: Mapping[str, str], host: str, port: int, seconds: float | None) -> socket.socket:
    """Open a socket that sends at once: a statement is several packets, of which the last must not wait for an ACK."""
    try:
        if host.startswith(("/", "@")):
            raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            raw.settimeout(seconds)
            raw.connect("\0" + host[1:] if host.startswith("@") else f"{host}/.s.PGSQL.{port}")
            return raw
        raw = socket.create_connection((values.get("hostaddr") or host, port), seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if values.get("keepalives", "1") != "0":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, name, default in _KEEPALIVE:
                if hasattr(socket, option):
                    raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), int(values.get(name, default)))
    except (OSError, ValueError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LedgerUnavailable(
            f"the server cannot be reached ({reason})", hint="check that it is running and that the URL is right"
        ) from None
    return raw


_KEEPALIVE = (
    ("TCP_KEEPIDLE", "keepalives_idle", "60"),
    ("TCP_KEEPINTVL", "keepalives_interval", "10"),
    ("TCP_KEEPCNT", "keepalives_count", "6"),
)


def _encrypted(raw: socket.socket, values: Mapping[str, str], host: str, *, must: bool) -> socket.socket:
    raw.sendall(_SSL_REQUEST)
    if raw.recv(1) != b"S":
        if must:
            raise LedgerUnavailable(f"the server has no SSL, which sslmode={values['sslmode']} demands")
        return raw
    try:
        return _context(values).wrap_socket(raw, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise LedgerUnavailable(
            f"the server's certificate is not accepted ({error.verify_message})",
            hint="name the certificate of its authority with sslrootcert, or the host as its certificate does",
        ) from None
    except ssl.SSLError as error:
        raise LedgerUnavailable(f"the server's SSL cannot be used ({error.reason or 'no reason given'})") from None


def _context(values: Mapping[str, str]) -> ssl.SSLContext:
    """Make the context that a mode asks for. As in libpq, ``require`` checks the chain if a root is there."""
    own = Path("~/.postgresql").expanduser()
    root = values.get("sslrootcert", "")
    mode = values.get("sslmode", "prefer")
    if not root and (own / "root.crt").is_file():
        root = str(own / "root.crt")
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify-full"
    if mode not in ("verify-ca", "verify-full") and not (mode == "require" and root):
        context.verify_mode = ssl.CERT_NONE
    elif root and root != "system":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = mode == "verify-full"
        _load(lambda: context.load_verify_locations(cafile=str(Path(root).expanduser())), "sslrootcert")
    cert, key = (Path(values.get(name) or own / f"postgresql.{end}").expanduser()
                 for name, end in (("sslcert", "crt"), ("sslkey", "key")))  # fmt: skip
    if "sslcert" in values or cert.is_file():
        _load(lambda: context.load_cert_chain(cert, key, values.get("sslpassword", "")), "sslcert and sslkey")
    return context


def _load(work: Callable[[], None], name: str) -> None:
    try:
        work()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not in the form of PEM"
        raise LabelingError(f"the file that {name} of the ledger's database names cannot be used ({reason})") from None


def _fits(settings: Settings, connection: Any) -> bool:
    """Return whether a server may be written to, if that was asked for."""
    wanted = settings.values.get("target_session_attrs", "any")
    if wanted == "any":
        return True
    question = "SHOW transaction_read_only" if wanted == "read-write" else "SELECT pg_is_in_recovery()"
    [[answer]] = connection.execute_simple(question).rows
    return answer in ("off", False)
