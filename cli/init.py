"""``aigc-label init``: a commented configuration file and, on request, a test certificate chain."""

from __future__ import annotations

import os
from pathlib import Path

import click

from labeling.errors import LabelingError

from . import _common
from ._terminal import line

EXAMPLE_PRODUCER = "my-service"


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option("--producer", metavar="CODE", help="Provider code (27 characters) or name.")
@click.option("--uscc", metavar="CODE", help="Unified social credit code: the provider code is built from it.")
@click.option("--model", metavar="CODE", default="0000", help="Four-character model code, with --uscc.")
@click.option("--test-signer", is_flag=True, help="Also make a certificate chain and key for trying C2PA out.")
@click.option("--test-sm2-key", is_flag=True, help="Also make an SM2 key for trying security data out.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def command(
    folder: Path,
    producer: str | None,
    uscc: str | None,
    model: str,
    test_signer: bool,
    test_sm2_key: bool,
    force: bool,
) -> None:
    """Write a commented aigc-label.toml into FOLDER (default: here).

    The test chain is signed by a root that says in its name that nobody trusts it: verifiers show such files as valid,
    never as trusted. Use a real certificate for anything that leaves your machine.

    \b
    Examples:
      aigc-label init --producer 001191000000MA00DEM00P10001
      aigc-label init --uscc 91000000MA00DEM00P --test-signer
    """
    from labeling import atomic_writes, config
    from labeling.label import ProviderCode

    try:
        if producer and uscc:
            raise LabelingError("give either --producer or --uscc")
        if uscc:
            producer = str(ProviderCode.build(uscc, model=model))
        code = ProviderCode.parse(producer) if producer else None
        if any(c in (producer or "") for c in '"\\\n'):
            raise LabelingError("a producer with quotes, backslashes or line breaks cannot be used")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / config.NAME
        given: dict[str, str] = {"profile": "cn", "producer": producer or EXAMPLE_PRODUCER}
        outputs: list[tuple[Path, bytes, int]] = []
        if test_signer:
            outputs += _test_chain(folder)
            given |= {"c2pa.cert": "test-signer.pem", "c2pa.key": "test-signer-key.pem"}
        if test_sm2_key:
            outputs += _test_sm2_key(folder)
            given["security.sm2_key"] = "test-sm2-key.pem"
        text = config.template(given)
        outputs.append((path, text.encode(), 0o666))
        for target, _, _ in outputs:
            if os.path.lexists(target) and not force:
                raise LabelingError("is there already", path=target, hint="say --force to replace it")
        for target, data, mode in outputs:
            atomic_writes.write_atomically(target, [data], mode=mode)
            line(f"wrote {target}")
    except LabelingError as error:
        _common.fail(error)
    except OSError as error:
        _common.fail(LabelingError(f"cannot be used ({error.strerror})", path=folder))
    if not producer:
        line(f"The producer is a placeholder ({EXAMPLE_PRODUCER}): put your provider code there.")
    for problem in code.problems() if code else ():
        line(f"note: {problem}")
    if test_signer:
        line("The certificate chain is for tests only: nobody trusts it, and nobody should.")
    if test_sm2_key:
        line("The SM2 key is for tests; whoever pins test-sm2-public.pem sees its signatures as trusted.")


def _test_sm2_key(folder: Path) -> list[tuple[Path, bytes, int]]:
    from labeling.marks.security import Sm2Key

    key = Sm2Key.generate()
    return [
        (folder / "test-sm2-public.pem", key.public_pem(), 0o666),
        (folder / "test-sm2-key.pem", key.to_pem(), 0o600),
    ]


def _test_chain(folder: Path) -> list[tuple[Path, bytes, int]]:
    from labeling.marks.credentials import make_test_chain

    chain = make_test_chain()
    return [
        (folder / "test-signer.pem", chain.cert_pem, 0o666),
        (folder / "test-root.pem", chain.root_pem, 0o666),
        (folder / "test-signer-key.pem", chain.key_pem, 0o600),
    ]
