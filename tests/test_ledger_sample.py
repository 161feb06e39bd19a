"""The sample keeps a ledger that says what it prints."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from .test_samples import run


def test_a_ledger_is_kept_and_knows_a_picture_again(tmp_path: Path) -> None:
    printed = run("keep_ledger.py", tmp_path).splitlines()
    assert printed[3] == "record 4: for-the-customer.png for customer 4711, contract 12"
    assert printed[4].startswith("known again: labelled-1.png, by fingerprint, ")
    connection = sqlite3.connect(tmp_path / "ledger.db")
    rows = connection.execute("SELECT output, recipient, fields, hash FROM ledger_entries ORDER BY seq").fetchall()
    connection.close()
    assert [row[0] for row in rows] == [*(f"labelled-{n}.png" for n in range(3)), "for-the-customer.png"]
    assert [row[1] for row in rows] == [None, None, None, "customer 4711, contract 12"]
    assert json.loads(rows[2][2])["ProduceID"] in printed[2]
    assert printed[5] == f"4 records, intact: True; keep this elsewhere: {rows[-1][3]}"
