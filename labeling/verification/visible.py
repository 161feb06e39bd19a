"""The visible label of any file: who looks for it, in whose words, and from which confidence on it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labeling import containers
from labeling.containers import Contents
from labeling.findings import Finding, Status
from labeling.rule_catalogue import defect
from labeling.rules import Profile
from labeling.rules.engine import FOUND

if TYPE_CHECKING:
    from labeling.verification.spoken_label import Known

IN_PICTURE = "text on the whole picture"
IN_VIDEO = "text in the first frame and in those at 0.5, 1, 2 and 4 s"
"""Where a visible label is looked for, in words."""


def accepted_by_all(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """Return the languages in which every profile accepts the wording of a visible label."""
    first = profiles[0].languages if profiles else ()
    return tuple(each for each in first if all(each in profile.languages for profile in profiles))


def counted(finding: Finding, least: float) -> Finding:
    """Return a finding on a visible label as it counts: with less confidence than ``least`` it is reported only."""
    sure = finding.value.get("confidence")
    if finding.status not in FOUND or not isinstance(sure, int | float) or sure >= least:
        return finding
    said = f'"{finding.value["text"]}"' if "text" in finding.value else "the rhythm"
    said = "the recording" if "recording" in finding.value else said
    message = f"{said} was found with a confidence of {sure:.2f}; it does not count, since {least:.2f} was asked for"
    value = finding.value | {"counts": False}
    return Finding("visible", Status.ABSENT, finding.where, value, None, (defect("FILE-CONFIDENCE", message),))


def visible_of(
    source: Any,
    contents: Contents,
    orientation: int,
    profiles: list[Profile],
    max_pixels: int | None,
    *,
    everywhere: bool = False,
    recordings: Sequence[Known] = (),
    traces: list[Finding] | None = None,
) -> Finding:
    """Return the finding on the visible label. Its wording has no defect if every profile accepts it.

    Traces of generators in the pixels are added to ``traces``.
    """
    languages = accepted_by_all(profiles)
    if contents.format and containers.format_named(contents.format).media:
        from labeling.verification import visible_video

        def search(accepted: tuple[str, ...]) -> Finding:
            return visible_video.find_explicit_label(
                source,
                contents.format,
                languages=accepted,
                everywhere=everywhere,
                max_pixels=max_pixels,
                contents=contents,
                recordings=recordings,
            )

        return _with_others(search(languages), profiles, search) if contents.width else search(languages)
    from labeling.verification import visible_still

    return visible_still.find_visible_label(
        source,
        contents.format,
        orientation=orientation,
        languages=languages,
        max_pixels=max_pixels,
        traces=traces,
    )


_MAX_SEARCHES = 3


def _with_others(
    finding: Finding, profiles: Sequence[Profile], search: Callable[[tuple[str, ...]], Finding]
) -> Finding:
    """Return the finding on a video's label with those in the languages of profiles that do not accept it.

    A search follows one label. Without this, a verdict would depend on which other profiles were asked for.
    """
    beside: list[dict[str, Any]] = []
    known = set(finding.value.get("languages", ()))
    others = dict.fromkeys(profile.languages for profile in profiles) if len(profiles) > 1 else {}
    searches = 0
    for accepted in others:
        if finding.status not in FOUND or not known.isdisjoint(accepted) or searches == _MAX_SEARCHES:
            continue
        searches += 1
        other = search(accepted)
        if other.status in FOUND and not set(accepted).isdisjoint(other.value.get("languages", ())):
            shown = {key: other.value[key] for key in ("text", "languages", "box", "seconds") if key in other.value}
            rules = [each for each in other.defects if each.rule.startswith("CN-VISIBLE-")]
            faults = [{"rule": each.rule, "message": each.message} for each in rules]
            beside.append(shown | ({"defects": faults} if faults else {}))
            known |= set(other.value["languages"])
    return replace(finding, value=finding.value | {"beside": beside}) if beside else finding


def looked_at(contents: Contents) -> str:
    """Return where a visible label was looked for in a file, in words."""
    is_media = contents.format and containers.format_named(contents.format).media
    return IN_VIDEO if is_media else IN_PICTURE
