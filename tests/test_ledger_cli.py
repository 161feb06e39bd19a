"""The ledger on the command line: words, exit codes, forms, and what is never printed."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import stat
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling.ledger import Ledger

from .commands import run
from .ledgers import PRODUCER, aged, audited, entry, raw
from .pictures import rgb
from .test_bad_input import as_nobody, refused


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    for number in (1, 2):
        rgb(640, 480, seed=number).save(tmp_path / f"photo{number}.png")
    return tmp_path


def do(desk: Path, *arguments: object, ledger: str | None = "l.db") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "AIGC_LABEL_LEDGER"}
    more = {} if ledger is None else {"AIGC_LABEL_LEDGER": ledger}
    return run(*map(str, arguments), cwd=desk, env=environment | more)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_labels_are_recorded_and_a_copy_without_metadata_is_found(desk: Path) -> None:
    added = do(desk, "add", "photo1.png", "photo2.png", "--producer", PRODUCER, "-o", "out")
    assert (added.returncode, added.stderr) == (0, "")
    assert "record 2 in l.db" in added.stdout
    with Image.open(desk / "out" / "photo1.png") as picture:
        small = picture.convert("RGB").resize((320, 240))
    small.info.clear()
    small.save(desk / "copy.jpg", quality=50)
    found = do(desk, "ledger", "find", "copy.jpg", "out/photo2.png")
    assert found.returncode == 0
    assert "record 1 by fingerprint" in found.stdout
    assert "record 2 by sha256" in found.stdout
    [one, two] = answer(do(desk, "ledger", "find", "copy.jpg", "out/photo2.png", "--format", "json"))
    assert one["matches"][0]["by"] == "fingerprint"
    assert one["matches"][0]["distance"] < 20
    record = two["matches"][0]["record"]
    assert (record["source"], record["output"], record["recipient"]) == ("photo2.png", "photo2.png", None)
    shown = answer(do(desk, "ledger", "show", record["content_id"], "--format", "json"))
    assert shown == [record]
    assert record["content_id"] in do(desk, "ledger", "show", record["content_id"]).stdout
    assert do(desk, "ledger", "find", "photo1.png", "--distance", "-1").returncode == 1
    assert do(desk, "ledger", "show", "nothing").returncode == 1
    refused(do(desk, "ledger", "find", "none.png"), 3, "none.png", "no such file")


def test_who_got_a_copy_without_the_visible_label_is_recorded(desk: Path) -> None:
    refused(do(desk, "add", "photo1.png", "--producer", "x", "--recipient", "A", ledger=None), 2, "--ledger")
    refused(do(desk, "add", "photo1.png", "--producer", "x", "--recipient", "A"), 2, "--no-visible")
    refused(do(desk, "add", "photo1.png", "--producer", "x", "--no-visible", "--recipient", " "), 2, "empty")
    unlabelled = ("add", "photo1.png", "--producer", PRODUCER, "--no-visible")
    refused(do(desk, *unlabelled, "--recipient", "A"), 2, "--recipient needs --agreement under the profile cn")
    refused(do(desk, *unlabelled, "--agreement", "7"), 2, "--recipient")
    refused(do(desk, *unlabelled, "--recipient", "A", "--agreement", " "), 2, "empty")
    assert not (desk / "l.db").exists()
    done = do(
        desk,
        "add",
        "photo1.png",
        "--producer",
        PRODUCER,
        "--no-visible",
        "--recipient",
        "客户 4711",
        "--agreement",
        "7",
    )
    assert done.returncode == 0, done.stderr
    [record] = [json.loads(line) for line in do(desk, "ledger", "export").stdout.splitlines()]
    assert (record["recipient"], record["details"]) == ("客户 4711", {"agreement": "7"})
    assert "without the explicit label, to 客户 4711" in do(desk, "ledger", "find", "photo1.labeled.png").stdout
    with Image.open(desk / "photo1.labeled.png") as labelled, Image.open(desk / "photo1.png") as plain:
        assert labelled.tobytes() == plain.tobytes()


def test_a_dry_run_records_nothing(desk: Path) -> None:
    assert do(desk, "add", "photo1.png", "--producer", "x", "--dry-run").returncode == 0
    assert not (desk / "l.db").exists()


def test_the_ledger_is_found_by_option_environment_file_and_default(desk: Path) -> None:
    (desk / "aigc-label.toml").write_text('producer = "x"\n[ledger]\nurl = "books/mine.db"\n', encoding="utf-8")
    (desk / "books").mkdir()
    for options, environment in (((), None), ((), "env.db"), (("--ledger", "option.db"), "env.db")):
        done = do(desk, "add", "photo1.png", "-o", "out.png", *options, ledger=environment)
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in desk.rglob("*.db")) == ["env.db", "mine.db", "option.db"]
    assert answer(do(desk, "ledger", "verify", "--format", "json", ledger=None))["count"] == 1
    (desk / "aigc-label.toml").unlink()
    refused(do(desk, "ledger", "verify", ledger=None), 3, "aigc-label-ledger.db", "there is no ledger")
    (desk / "bad.toml").write_text("[ledger]\nurl = 3\n", encoding="utf-8")
    refused(do(desk, "ledger", "verify", "--config", "bad.toml", ledger=None), 2, "ledger.url")


def test_export_is_whole_and_inert_and_an_auditor_can_compute_it(desk: Path) -> None:
    with Ledger.open(desk / "l.db") as ledger:
        ledger.append([entry(n) for n in range(2500)])
        ledger.append([entry(2500, source='=HYPERLINK("http://x")', output="@x", recipient="+1")])
    assert do(desk, "ledger", "export", "-o", "records.jsonl").stdout == ""
    assert stat.S_IMODE((desk / "records.jsonl").stat().st_mode) == 0o600
    records = [json.loads(line) for line in (desk / "records.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(records) == 2501
    rows = []
    for record in records:
        fields = json.dumps(record["fields"], ensure_ascii=False, separators=(",", ":"))
        rows.append(tuple((record | {"fields": fields}).values())[:-1])
    assert audited(rows) == [record["hash"] for record in records]
    table = list(csv.DictReader(io.StringIO(do(desk, "ledger", "export", "--format", "csv").stdout)))
    assert len(table) == 2501
    last = table[-1]
    assert (last["source"], last["output"], last["recipient"]) == ('\'=HYPERLINK("http://x")', "'@x", "'+1")
    assert table[7]["hash"] == records[7]["hash"]
    future = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert do(desk, "ledger", "export", "--since", future).stdout == ""
    assert do(desk, "ledger", "export", "--until", future).stdout.count("\n") == 2501
    refused(do(desk, "ledger", "export", "-o", "none/records.jsonl"), 2, "none")


def test_verify_says_what_was_altered(desk: Path) -> None:
    with Ledger.open(desk / "l.db") as ledger:
        records = ledger.append([entry(n) for n in range(1, 41)])
    intact = do(desk, "ledger", "verify")
    assert intact.returncode == 0
    assert intact.stdout == f"intact: 40 records, 1 to 40\nhead {records[-1].hash}\n"
    assert do(desk, "ledger", "verify", "--head", records[20].hash.upper()).returncode == 0
    wrong = do(desk, "ledger", "verify", "--head", "f" * 64)
    assert (wrong.returncode, "rewritten" in wrong.stdout) == (1, True)
    refused(do(desk, "ledger", "verify", "--head", "f00"), 2, "64 hexadecimal digits")
    connection = raw(desk / "l.db")
    connection.execute("UPDATE ledger_entries SET output = '\x1b[2J' WHERE seq > 10")
    connection.execute("UPDATE ledger_entries SET content_id = '\x1b[2J' WHERE seq = 3")
    connection.execute(
        "UPDATE ledger_entries SET output = x'ff00', fields = x'fe', fingerprint = 'text' WHERE seq = 21"
    )
    connection.close()
    altered = do(desk, "ledger", "verify")
    assert altered.returncode == 1
    assert altered.stdout.splitlines()[0].startswith("record 3 was altered")
    assert "… 11 more" in altered.stdout
    assert "ALTERED: 40 records" in altered.stdout
    reported = answer(do(desk, "ledger", "verify", "--format", "json"))
    assert (reported["intact"], reported["count_findings"], reported["findings"][0]["seq"]) == (False, 31, 3)
    assert "\x1b" not in do(desk, "ledger", "show", "id-20").stdout
    [shown] = answer(do(desk, "ledger", "show", "id-21", "--format", "json"))  # as far as it can be shown
    assert (shown["output"], shown["fields"], shown["fingerprint"]) == (r"b'\xff\x00'", {"": r"b'\xfe'"}, None)
    assert len(do(desk, "ledger", "export").stdout.split("\n")) == 41


def test_prune_refuses_less_than_six_months(desk: Path) -> None:
    aged(desk / "l.db", [400, 190, 100])
    refused(do(desk, "ledger", "prune", "--older-than", "183"), 2, "six months", "--force")
    assert do(desk, "ledger", "prune", "--older-than", "500").stdout == "no record is older than 500 days\n"
    assert do(desk, "ledger", "prune").stdout == "removed 2 records, up to number 2; record 4 says so\n"
    assert do(desk, "ledger", "prune", "--older-than", "50", "--force").returncode == 0
    assert do(desk, "ledger", "verify").returncode == 0


def test_what_cannot_be_opened_is_told_in_one_line(desk: Path) -> None:
    refused(do(desk, "ledger", "verify", ledger="."), 3, "is a folder")
    refused(do(desk, "add", "photo1.png", "--producer", "x", ledger="none/l.db"), 2, "none", "does not exist")
    assert not (desk / "photo1.labeled.png").exists()  # what cannot be recorded does not go out
    refused(do(desk, "ledger", "verify", ledger="postgresql://me:secret@127.0.0.1:9/x"), 3, "me:***@", "reached")
    (desk / "text.db").write_text("not a database at all\n" * 100, encoding="utf-8")
    refused(do(desk, "ledger", "verify", ledger="text.db"), 3, "is not a ledger")


def test_a_label_that_could_not_be_recorded_is_told(desk: Path) -> None:
    Ledger.open(desk / "l.db").close()
    connection = sqlite3.connect(desk / "l.db")
    connection.execute("CREATE TRIGGER no BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(ABORT, 'no room'); END")
    connection.close()
    done = do(desk, "add", "photo1.png", "--producer", "x", "-q")
    refused(done, 2, "photo1.labeled.png: labelled, but not recorded", "no room")


def test_without_rights_to_the_file_or_the_folder(desk: Path) -> None:
    """As a user without rights, which root (as in containers) is not."""
    before = "import labeling.cli.add, labeling.cli.ledger, labeling.ledger._ledger, sqlalchemy.dialects.sqlite\n"
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        (desk / "photo1.png").rename(outside / "photo1.png")
        with Ledger.open(outside / "secret.db") as ledger:
            ledger.append([entry(1)])
        (outside / "secret.db").chmod(0)
        outside.chmod(0o555)
        for ledger_name, words in (("secret.db", "permission"), ("new.db", "no permission")):
            arguments = ["add", "photo1.png", "--no-visible", "--producer", "x", "--ledger", str(outside / ledger_name)]
            refused(as_nobody(outside, *arguments, before=before), 2, ledger_name, words)
        outside.chmod(0o755)


@pytest.mark.parametrize("words", [("ledger", "export"), ("verify", "out.png", "--no-visible")])
def test_reports_and_exports_replace_reports_and_nothing_else(desk: Path, words: tuple[str, ...]) -> None:
    """A ledger, a key, a picture or notes are not a report that somebody wants to write again."""
    assert do(desk, "add", "photo1.png", "--producer", PRODUCER, "-o", "out.png", "--no-visible").returncode == 0
    (desk / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (desk / "notes.txt").write_text("Notes of mine\n")
    for name in ("l.db", "key.pem", "photo2.png", "notes.txt"):
        before = (desk / name).read_bytes()
        refused(do(desk, *words, "-o", name), 2, "holds something else than a report")
        assert (desk / name).read_bytes() == before
    (desk / "empty").touch()
    for form in ("jsonl", "csv"):
        for name in ("empty", "r.out", "r.out"):
            do(desk, *words, "--format", form, "-o", name)
            assert (desk / name).stat().st_size > 0


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "sarif", "html"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_form_of_a_report_may_be_written_again(desk: Path, form: str, language: str) -> None:
    words = ("verify", "photo1.png", "--no-visible", "--format", form, "--lang", language, "-o", "report")
    assert [do(desk, *words).returncode for _ in range(2)] == [1, 1]
