"""Options are declared once: the same bounds hold in Python, in the configuration file and on the command line."""

from __future__ import annotations

import ast
import math
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from labeling import Label, Labeler, LabelingError, Style, VideoOptions, config
from labeling.cli import group
from labeling.cli._options import destination
from labeling.cli._wording import PARAMETER, in_options, option_for, options_by_parameter
from labeling.options import DECLARING, LabelerOptions, Option, options_of

from .commands import run
from .pictures import rgb
from .test_bad_input import PRODUCER

ROOT = Path(__file__).resolve().parent.parent

PLAIN = (LabelerOptions, Style, VideoOptions)
DECLARED = [(each, option) for each in DECLARING for option in options_of(each).values()]
BOUNDED = [(each, option) for each, option in DECLARED if each in PLAIN and option.low is not None]
CHOSEN = [(each, option) for each, option in DECLARED if each in PLAIN and option.choices]


def named(pair: tuple[type, Option]) -> str:
    return pair[1].name


def made(declaring: type, **values: Any) -> object:
    return Labeler(PRODUCER, **values) if declaring is LabelerOptions else declaring(**values)


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("declaring", "option"), BOUNDED, ids=map(named, BOUNDED))
@given(number=st.one_of(st.integers(-(10**9), 10**9), st.floats()))
def test_a_number_is_taken_within_its_bounds_and_nowhere_else(declaring: type, option: Option, number: float) -> None:
    whole = isinstance(number, int) or isinstance(option.default, float)
    high = math.inf if option.high is None else option.high
    assert option.low is not None
    if whole and math.isfinite(number) and option.low <= number <= high:
        option.check(number)
        return
    with pytest.raises(LabelingError) as caught:
        option.check(number)
    for part in (f"`{option.name}`", repr(number), f"{option.low:g}"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("declaring", "option"), BOUNDED, ids=map(named, BOUNDED))
def test_whoever_makes_one_out_of_bounds_is_refused(declaring: type, option: Option) -> None:
    assert option.low is not None
    wrong: list[object] = [option.low - 1, math.nan, math.inf, "1", True, b"", [1], object]
    if option.high is not None:
        wrong.append(option.high + 1)
    for value in wrong:
        with pytest.raises(LabelingError, match=f"`{option.name}`"):
            made(declaring, **{option.name: value})
    made(declaring, **{option.name: option.low if isinstance(option.default, float) else int(option.low)})


@pytest.mark.parametrize(("declaring", "option"), CHOSEN, ids=map(named, CHOSEN))
def test_a_choice_is_one_of_those_declared(declaring: type, option: Option) -> None:
    for choice in option.choices:
        made(declaring, **{option.name: choice})
    for wrong in ("nothing like it", "", 3, None, b"auto", option.choices[0].upper() + "!"):
        with pytest.raises(LabelingError) as caught:
            made(declaring, **{option.name: wrong})
        assert f"`{option.name}`" in str(caught.value)
        assert all(choice in str(caught.value) for choice in option.choices)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 500}, {"quality": 0}, {"max_pixels": -5}, {"max_pixels": 1.5}, {"visible": "yes"}, {"exif": 1},
        {"generator": 3}, {"provider_name": b"x"}, {"description": 7}, {"origin": "4"}, {"style": "bold"},
        {"video": {}}, {"signer": "signer.pem"}, {"security_key": "key"}, {"sidecar": None}, {"profile": 2},
        {"source_type": "digitalCapture"},
    ],
    ids=str,
)  # fmt: skip
def test_a_labeler_checks_its_parameters_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(LabelingError, match=f"`{next(iter(wrong))}`"):
        Labeler(PRODUCER, **wrong)


@pytest.mark.parametrize("producer", [3, "", "  ", None, b"code"])
def test_a_producer_is_text(producer: Any) -> None:
    with pytest.raises(LabelingError, match="`producer`"):
        Labeler(producer)
    with pytest.raises(LabelingError, match="producer"):
        Label(producer=producer, content_id="1")


@pytest.mark.parametrize("text", ["", " ", "a\nb", "生成" * 101, 5, None])
def test_a_style_s_text_is_one_line(text: Any) -> None:
    with pytest.raises(LabelingError, match="`text`"):
        Style(text=text)


@pytest.mark.parametrize("quality", [0, 101, -1, 92.5, "92", True])
def test_a_picture_s_quality_is_checked(quality: Any) -> None:
    with pytest.raises(LabelingError, match="`quality` must be a whole number from 1 to 100"):
        Labeler(PRODUCER, visible=False).label_image(rgb(), "jpeg", quality=quality)


def test_an_empty_content_id_is_refused() -> None:
    with pytest.raises(LabelingError, match="`content_id`"):
        Labeler(PRODUCER, visible=False).label_image(rgb(), content_id="")


def test_numbers_of_numpy_and_fractions_are_numbers() -> None:
    assert Labeler(PRODUCER, quality=np.int64(90), max_pixels=np.uint32(10**6)).quality == 90  # type: ignore[arg-type]
    assert VideoOptions(seconds=Fraction(5, 2), crf=np.int8(20)).seconds == 2.5  # type: ignore[arg-type]
    assert Style(height_ratio=np.float32(0.0625)).height_ratio == 0.0625  # type: ignore[arg-type]


def test_a_labeler_keeps_the_order_of_its_parameters() -> None:
    """Callers may give the first ones by position."""
    names = list(Labeler.__match_args__)
    assert names[:5] == ["producer", "profile", "signer", "style", "visible"]
    assert names[-5:] == ["video", "sidecar", "strict", "keep_times", "security_key"]


# --- aigc-label.toml --------------------------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    path = folder / "aigc-label.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_that_init_writes_holds_every_option_and_loads(tmp_path: Path) -> None:
    text = config.template({"profile": "cn", "producer": "my-service"})
    assert config.load(written(tmp_path, text)).labeler_arguments() == {"profile": "cn", "producer": "my-service"}
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    values = tomllib.loads(uncommented)
    for _, option in DECLARED:
        if option.table is not None:
            assert option.key in (values[option.table] if option.table else values), option.name
    assert max(map(len, text.splitlines())) <= 100


def test_what_init_suggests_is_allowed(tmp_path: Path) -> None:
    """Every commented line can be made active as it stands; files aside, which are the user's own."""
    lines = config.template({"producer": "my-service"}).splitlines()
    files = {option.key for _, option in DECLARED if option.is_file}
    active = [line.removeprefix("# ") for line in lines if " = " in line or line.startswith("[")]
    text = "\n".join(line for line in active if line.split(" = ")[0] not in files | {"tsa_url"})
    labeler = Labeler.from_config(written(tmp_path, text))
    assert labeler == Labeler(
        "my-service", generator="example-diffusion", generator_version="3.1", provider_name="Example AI Ltd.",
        quality=92, style=Style(color="#ffffff"), video=VideoOptions(preset="faster", crf=17),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nquality = 0", ("limits.quality", "1 to 100", "not 0")),
        ("[limits]\nquality = true", ("limits.quality", "1 to 100", "not True")),
        ("[limits]\nmax_pixels = -5", ("limits.max_pixels", "at least 1", "-5")),
        ("[visible]\nheight = 0.03", ("visible.height", "0.05 to 0.5", "GB 45438-2025 5.2")),
        ("[visible]\nopacity = 2", ("visible.opacity", "0.1 to 1", "not 2")),
        ("[visible]\ntext = ''", ("visible.text", "1 to 200 characters")),
        ("[visible]\nplate = 'maybe'", ("visible.plate", "auto, on, off", "'maybe'")),
        ("[visible]\ncolor = 'red'", ("visible.color", "#rrggbb", "'red'")),
        ("[visible]\nfont = 3", ("visible.font", "path of a file", "not 3")),
        ("[visible]\nenabled = 'no'", ("visible.enabled", "true or false")),
        ("[video]\nwhen = 'sometimes'", ("video.when", "start+middle+end", "'sometimes'")),
        ("[video]\nseconds = 1", ("video.seconds", "at least 2 seconds", "not 1")),
        ("[video]\ncrf = 64", ("video.crf", "0 to 63", "not 64")),
        ("[generator]\nsource_type = 'x'", ("generator.source_type", "trainedAlgorithmicMedia", "'x'")),
        ("origin = '4'", ("origin", "1, 2, 3", "'4'")),
        ("profile = 'mars'", ("profile", "us-ca", "'mars'")),
        ("[security]\npinned = [1]", ("security.pinned", "a list of strings")),
        ("[film]\nseconds = 3", ("[film]", "[video]")),
        ("film = 3", ("[film]", "[video]")),
        ("[video]\nspeed = 3", ("video.speed", "when", "reencode")),
        ("[filme]\nx = 1", ("filme", "[video]", "producer")),
    ],
)  # fmt: skip
def test_a_wrong_value_in_the_file_names_file_and_key(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(LabelingError) as caught:
        Labeler.from_config(path, producer=PRODUCER)
    assert caught.value.path == str(path)
    assert all(word in caught.value.reason for word in words), caught.value.reason


# --- The command line -------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield name, command
        yield from ((f"{name} {verb}", each) for verb, each in getattr(command, "commands", {}).items())


def test_every_declared_flag_is_an_option_of_the_commands_that_label() -> None:
    for name, command in commands():
        if name in ("add", "batch"):
            flags = {flag for parameter in command.params for flag in parameter.opts}
            arguments = {parameter.name for parameter in command.params}
            for _, option in DECLARED:
                if option.flag:
                    assert option.flag in flags
                    assert destination(option) in arguments


def test_the_flags_are_those_that_scripts_use() -> None:
    """The words are a contract: none may go."""
    assert {option.flag for _, option in DECLARED if option.flag} == {
        "--profile", "--producer", "--origin", "--generator", "--generator-version", "--provider-name", "--source-type",
        "--no-visible", "--text", "--position", "--height", "--opacity", "--plate", "--color", "--font", "--logo",
        "--exif", "--description", "--when", "--duration", "--reencode", "--preset", "--audio-cue", "--audio-cue-at",
        "--crf", "--quality", "--max-pixels", "--signer-cert", "--signer-key", "--tsa-url", "--sidecar", "--strict",
        "--lang", "--icon",
        "--keep-times", "--compression",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quality", "0"), ("--quality", "1 to 100", "not 0")),
        (("--quality", "high"), ("--quality", "integer")),
        (("--max-pixels", "-5"), ("--max-pixels", "at least 1", "-5")),
        (("--height", "0.6"), ("--height", "0.05 to 0.5", "0.6")),
        (("--opacity", "nan"), ("--opacity", "0.1 to 1", "nan")),
        (("--text", " "), ("--text", "1 to 200 characters")),
        (("--color", "red"), ("--color", "#rrggbb", "red")),
        (("--duration", "1"), ("--duration", "at least 2 seconds", "1")),
        (("--crf", "64"), ("--crf", "0 to 63", "64")),
        (("--when", "sometimes"), ("--when", "start+end")),
        (("--plate", "maybe"), ("--plate", "auto")),
        (("--producer", ""), ("--producer", "not empty")),
    ],
)
def test_a_wrong_value_on_the_command_line_names_the_option(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    rgb().save(tmp_path / "a.png")
    for verb in (["add", "a.png"], ["batch", "a", "b"]):
        result = CliRunner().invoke(group, [*verb, "--producer", PRODUCER, *arguments])
        assert result.exit_code == 2
        assert all(word in result.output for word in words), result.output


def test_options_outrank_the_file_one_by_one(tmp_path: Path) -> None:
    rgb(640, 480).save(tmp_path / "a.png")
    text = f'producer = "{PRODUCER}"\n[visible]\nposition = "top-left"\ntext = "示例AI生成"\n'
    written(tmp_path, text)
    result = run("add", "a.png", "--text", "AI生成", "-o", "b.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = run("verify", "b.png", "--format", "json", cwd=tmp_path).stdout
    assert '"where": "top-left"' in report
    assert "示例" not in report


# --- Parameters in messages -------------------------------------------------------------------------------------------

LIBRARY_ONLY = {
    "the commands draw a label unless told not to; label_frames has no command": {"visible=True"},
    "open_video has no command": {"audio", "audio_rate", "codec", "fps", "pix_fmt"},
    "the commands fill in the fields of a ledger's entry": {"sha256", "fingerprint", "size"},
    "the commands make claims of their own, and signers of plain PEM files": {
        "alg", "common_name", "digital_source_type", "password"
    },
    "the command gives one or the other": {"labeler"},
}  # fmt: skip
"""Parameters in messages that have no option, and why."""


def messages() -> Iterator[tuple[Path, str]]:
    """Every string of the library that is not a docstring; the notes on traces are Markdown, and no messages."""
    for path in sorted(set((ROOT / "labeling").rglob("*.py")) - {ROOT / "labeling" / "marks" / "generator.py"}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield path, node.value


def test_every_parameter_in_a_message_becomes_an_option() -> None:
    own = options_by_parameter(command for _, command in commands())
    library_only = {parameter for group in LIBRARY_ONLY.values() for parameter in group}
    found = set()
    for path, text in messages():
        for match in PARAMETER.finditer(text):
            parameter = match[0].strip("`")
            found.add(parameter)
            shown = option_for(match[1], match[2], own)
            assert shown or parameter in library_only, f"{path.name}: no command has an option for {match[0]}"
    assert {"in_place=True", "signer", "sidecar=True"} <= found


def test_no_message_of_the_library_speaks_of_an_option() -> None:
    flags = {flag for _, command in commands() for parameter in command.params for flag in parameter.opts}
    long = {flag for flag in flags if flag.startswith("--") and len(flag) > 4}
    found = {path.relative_to(ROOT) for path, text in messages() for flag in long if f"{flag} " in f"{text} "}
    assert [str(path) for path in sorted(found) if not path.is_relative_to("labeling/options")] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("give a signer (`signer`)", "give a signer (--signer-cert and --signer-key)"),
        ("pass `in_place=True`", "pass --in-place"),
        ("label it with `visible=False`", "label it with --no-visible"),
        ("raise `max_pixels`", "raise --max-pixels"),
        ('`reencode="always"` does it', "--reencode always does it"),
        ("`height_ratio` is small", "--height is small"),
        ("at least `seconds=2`", "at least --duration 2"),
        ('`audio_cue="none"`', "--audio-cue none"),
        ("make one with `visible=True`", "make one with `visible=True`"),
        ("see ``in_place``", "see ``in_place``"),
        ("run `pip install x`", "run `pip install x`"),
        ("`nothing_known`", "`nothing_known`"),
    ],
)
def test_a_parameter_becomes_its_option(text: str, shown: str) -> None:
    assert in_options(text, [command for name, command in commands() if name == "add"]) == shown
