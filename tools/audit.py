"""Ask whether a release that a lock file names has a known vulnerability: ``tools/audit.py requirements/dev.txt``.

pip-audit asks PyPI. Exit codes: 0 every release was looked up, and none has a known vulnerability; 1 some have; 3 it
could not be found out, since PyPI was not reached or does not know the releases, as behind a mirror.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

FOUND, UNKNOWN = 1, 3


def judged(answer: dict[str, Any]) -> tuple[int, list[str]]:
    """Return the exit code for pip-audit's JSON, and the lines to print."""
    asked = answer["dependencies"]
    skipped = [each["name"] for each in asked if "skip_reason" in each]
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no release'}"
        for each in asked
        for found in each.get("vulns", ())
    ]
    if lines:
        return FOUND, lines
    if skipped or not asked:
        what = "no release" if len(skipped) == len(asked) else f"not {', '.join(skipped)}"
        return UNKNOWN, [f"The audit is incomplete: {what} could be looked up."]
    return 0, [f"None of {len(asked)} releases has a known vulnerability."]


def main() -> int:
    """Run the command."""
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *options, "-r", sys.argv[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        print(f"Nothing was audited: {reason[:300]}")
        return UNKNOWN
    code, lines = judged(answer)
    print(*lines, sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
