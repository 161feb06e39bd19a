"""``aigc-label conformity``: the twin of :func:`labeling.conformity`."""

from __future__ import annotations

from pathlib import Path

import click

from labeling import config as configuration
from labeling.errors import LabelingError, WriteError
from labeling.inert import to_json

from . import _common, _options, _output
from ._streams import leave_if_ended
from ._terminal import line

FILES = {"conformity.json": "", "conformity.en.html": "en", "conformity.zh.html": "zh"}
"""What is written, and the language of each page."""


@click.command("conformity")
@click.option("--samples", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Folder with output of the system, as the public gets it.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Folder for the evidence file; it is made if it is not there.")  # fmt: skip
@click.option("--profile", type=_options.ProfileName(), default="cn", show_default=True, help="Which rules apply.")
@_options.config_option
@_options.trust_option
@click.option("--no-stored-trust", is_flag=True, help="Ignore the lists that aigc-label trust has stored.")
@_options.max_pixels_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    samples: Path,
    out: Path,
    profile: str,
    config: Path | None,
    trust: tuple[str, ...],
    no_stored_trust: bool,
    max_pixels: int | None,
    quiet: bool,
) -> None:
    """Write an evidence file for a regulator: what was measured on samples of a system, clause by clause.

    Every sample is verified. The configuration says who the provider is, what the system is called, its filing number
    and a contact ([system] in aigc-label.toml). Under --profile eu there is a gap analysis against the Code of
    Practice, measure by measure. What was not measured is said to be so.

    \b
    Examples:
      aigc-label conformity --samples samples/ -o evidence/
      aigc-label conformity --profile eu --samples samples/ -o evidence/ --trust our-ca.pem

    Exit codes: 0 all samples comply; 1 some sample does not; 2 wrong usage; 3 of some sample it could not be said (and
    none was found non-compliant).
    """
    from labeling.conforming.measure import conformity
    from labeling.reports.conformity_page import to_html
    from labeling.trust import load as load_trust

    try:
        _prepare(out)
        found = conformity(
            samples,
            profile,
            config=configuration.chosen(config),
            trust=load_trust(trust, use_stored=not no_stored_trust, note=_common.complain),
            max_pixels=max_pixels,
            leave_out=out,
            on_sample=lambda _: leave_if_ended(),
        )
        from labeling.atomic_writes import write_atomically

        for name, language in FILES.items():
            text = to_html(found, language=language) if language else to_json(found, indent=1) + "\n"
            write_atomically(out / name, [text.encode("utf-8", "backslashreplace")])
    except LabelingError as error:
        _common.fail(error)
    counts = found["counts"]
    if not quiet:
        outcomes = (f"{counts[name]} {name}" for name in ("compliant", "inconclusive", "noncompliant"))
        some = "1 sample" if counts["samples"] == 1 else f"{counts['samples']} samples"
        line(f"{some}: {', '.join(outcomes)}")
        for name in FILES:
            line(f"  {out / name}")
    raise SystemExit(1 if counts["noncompliant"] else 3 if counts["inconclusive"] else 0)


def _prepare(out: Path) -> None:
    """Make the folder, and refuse to replace files that are no evidence files."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"the folder cannot be made ({error.strerror})", path=out) from error
    for name in FILES:
        _output.check_replaceable(out / name)
