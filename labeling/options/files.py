"""Options of the configuration file and the command line alone: files and addresses that objects are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.options.declare import Option

_declaring = dataclass(init=False, repr=False, eq=False)
"""For classes of which there is no object: only their fields count, and methods would take time to make."""


@_declaring
class SignerFiles:
    """What :class:`labeling.Signer` is made from: a certificate chain, its key, and a time-stamp authority."""

    cert: str = field(
        metadata=Option(
            help="Certificate chain (PEM) to sign content credentials (C2PA) with", is_file=True, table="c2pa",
            example="signer.pem", flag="--signer-cert", metavar="FILE",
        ).metadata
    )  # fmt: skip
    key: str = field(
        metadata=Option(
            help="Private key (PEM) of that certificate", is_file=True, table="c2pa", example="signer-key.pem",
            flag="--signer-key", metavar="FILE",
        ).metadata
    )  # fmt: skip
    tsa_url: str | None = field(
        default=None,
        metadata=Option(
            help="Time-stamp authority; calling it is the only network access there is", table="c2pa",
            example="http://timestamp.example.com", metavar="URL",
        ).metadata,
    )  # fmt: skip


@_declaring
class SecurityFiles:
    """Keys for security data in the reserved codes (TC260-PG-202511A)."""

    sm2_key: str | None = field(
        default=None,
        metadata=Option(
            help="SM2 key (PEM) that signs the label; it needs pip install 'aigc-labeling[sm2]'", is_file=True,
            table="security", example="sm2-key.pem", flag="",
        ).metadata,
    )  # fmt: skip
    pinned: list[str] | None = field(
        default=None,
        metadata=Option(
            help="Public SM2 keys that verify --pinned aigc-label.toml trusts: PEM files, or hexadecimal digits",
            wanted="a list of strings", table="security", example=["producer-sm2.pem"], flag="",
        ).metadata,
    )  # fmt: skip


@_declaring
class SystemFacts:
    """What a regulator asks about a system, and no label holds."""

    filing: str = field(
        default="",
        metadata=Option(
            help="Filing number of the service or algorithm, for aigc-label conformity", table="system",
            example="Example-2026-0001", flag="",
        ).metadata,
    )  # fmt: skip
    contact: str = field(
        default="",
        metadata=Option(
            help="Whom a regulator asks, for aigc-label conformity", table="system", example="compliance@example.com",
            flag="",
        ).metadata,
    )  # fmt: skip


@_declaring
class LedgerFile:
    """Where labels are recorded."""

    url: str | None = field(
        default=None,
        metadata=Option(
            help="Record of every label: a file, or postgresql://USER:PASSWORD@HOST/DATABASE (it needs pip install "
            "'aigc-labeling[postgres]')",
            table="ledger", example="aigc-label-ledger.db", flag="",
        ).metadata,
    )  # fmt: skip
    retention: int | None = field(
        default=None,
        metadata=Option(
            help="Days for which records are kept: aigc-label ledger prune removes older ones, and none before. The "
            "Labelling Measures (Art. 9) ask for six months; less takes --force each time",
            unset="184", low=1, high=36500, table="ledger", example=365, flag="",
        ).metadata,
    )  # fmt: skip
