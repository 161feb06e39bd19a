"""Traces that generators leave in a file. They are evidence for "suspected", never a label, and never written.

A trace is one named text (PNG keyword, EXIF tag, XMP property, IIM dataset) in the form that a generator writes. The
same name in prose proves nothing: a caption may mention Midjourney. So each row of :data:`TRACES` has a confidence:

- ``high``: only this generator writes it: a structure, or its name where the writing software names itself.
- ``medium``: a statement that the content is generated, if the text says nothing else, or a form that others could in
  principle write too.
- ``low``: a mention. It is reported, but alone makes nothing suspected (:func:`labeling.verification.origin_of`).

The texts are untrusted: each pattern runs in linear time, on the beginning of the text, and only if its needle is in
it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from labeling.findings import Finding, Signature, Status

HIGH, MEDIUM, LOW = "high", "medium", "low"

MAX_TEXT = 64 << 10
"""Characters of one text that are searched: settings come first, and node graphs begin with their keys."""

MAX_SHOWN = 160
"""Characters of the text that the finding quotes."""

SOFTWARE = ("software", "creatortool", "originatingprogram")
"""Fields in which the software that wrote the picture names itself."""

CREDIT = ("credit", "artist", "author", "creator", "byline", "source", "xpauthor")
"""Fields that name the maker."""

PROSE = (
    *("imagedescription", "description", "usercomment", "comment", "title", "caption", "headline", "keywords"),
    *("objectname", "specialinstructions", "instructions", "subject"),
    *("xptitle", "xpcomment", "xpsubject", "xpkeywords"),
)
"""Fields in which people write."""

ALPHA = "lowest bits of the alpha channel"
"""The name of the field for what programs hide there."""

LAST_LINE = "last line"
"""The name of the field for the last line of a document (GB 45438-2025 5.1)."""

SHORT_NAMES = {
    "icmt": "comment", "isft": "software", "iart": "artist", "inam": "title", "isbj": "subject", "ikey": "keywords",
    "isrc": "source", "comm": "comment", "tit2": "title", "tpe1": "artist", "tsse": "software",
}  # fmt: skip
"""Names of the texts of RIFF files (LIST INFO) and of frames of ID3v2, for those of other formats."""

SAYING = (*PROSE, *CREDIT, *SOFTWARE, LAST_LINE)
"""Fields whose text may be a statement that AI made the content, as :mod:`labeling.marks.wording` reads it."""

PARAMETERS = ("parameters", "usercomment", "comment", "description", "imagedescription", "xpcomment")
"""Fields in which generators of the Stable Diffusion family put their settings."""


class Trace(NamedTuple):
    """One row of the table.

    ``keys``: names of the field, in lower case, without prefix. ``needles``: the text must contain one of them (lower
    case) before ``pattern`` and, if given, ``also`` are searched in it, in any case. ``longest``: the most characters
    that the text may have (0: any number). ``source`` says where the form is known from.
    """

    generator: str
    keys: tuple[str, ...]
    needles: tuple[str, ...]
    pattern: str
    confidence: str
    note: str
    longest: int = 0
    also: str = ""
    source: str = ""


_SD_SETTINGS = r"\bSteps: \d{1,5}[,|] ?[A-Z]"

STRUCTURES: tuple[Trace, ...] = (
    Trace("Forge", PARAMETERS, ("version: f",), r"\bVersion: f\d", HIGH, "settings, version f…",
          also=_SD_SETTINGS),
    Trace("SD.Next", PARAMETERS, ("app: sd.next",), r"\bApp: SD\.Next\b", HIGH, "settings, App: SD.Next",
          also=_SD_SETTINGS),
    Trace("Stable Diffusion web UI", PARAMETERS, ("steps: ",), _SD_SETTINGS, HIGH,
          "`Steps: …, Sampler: …`; also written by Civitai and many others", also=r"\b(?:Sampler|Seed|CFG scale): "),
    Trace("Stable Diffusion web UI", ("postprocessing", "extras"), ("upscal",), r"\bUpscaler?\b", LOW,
          "upscaled there: the picture itself may be a photograph"),
    Trace("Fooocus", ("fooocus_scheme",), ("fooocus", "a1111"), r"\A(?:fooocus|a1111)", HIGH, "PNG keyword"),
    Trace("Fooocus", PARAMETERS, ("fooocus",), r'"(?:metadata_scheme|version)"\s?:\s?"fooocus', HIGH, "settings, JSON"),
    Trace("SwarmUI", PARAMETERS, ("sui_image_params",), r'"sui_image_params"\s?:', HIGH, "settings, JSON"),
    Trace("ComfyUI", ("prompt", "workflow"), ('"class_type"', '"last_node_id"', '"lastnodeid"'),
          r'"(?:class_type|last_node_id|lastNodeId)"\s?:', HIGH,
          "node graph in PNG text; workflows of other programs have nodes, too, and not these keys"),
    Trace("ComfyUI", ("comment", "description", "usercomment"), ("class_type", "last_node_id", "lastnodeid"),
          r'"(?:class_type|last_node_id|lastNodeId)\\?"\s?:', HIGH,
          "node graph that VideoHelperSuite writes as the comment of MP4, WebM and Matroska",
          also=r'\A\s?\{\s?"\w{1,40}"\s?:', source="source code of VideoHelperSuite; files"),
    Trace("ComfyUI", ("make", "model", "imagedescription", "usercomment"), ("prompt", "workflow"),
          r"\A\s?(?:prompt|workflow)\s?:\s?\{", HIGH, "node graph in the EXIF of WebP"),
    Trace("InvokeAI", ("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata"), ("{",), r"\{", HIGH,
          "PNG keywords"),
    Trace("InvokeAI", ("dream",), ("-s",), r"\s-S ?\d", HIGH, "PNG keyword of old versions, a command line"),
    Trace("Easy Diffusion", ("use_stable_diffusion_model",), ("",), r"\S", HIGH, "PNG keyword"),
    Trace("NovelAI", ("comment", "usercomment"), ('"request_type"',), r'"request_type"\s?:\s?"\w{0,40}GenerateRequest"',
          HIGH, "settings, JSON"),
    Trace("NovelAI", ("comment", "usercomment"), ('"uc"',), r'\A\{.*"(?:n_samples|sampler|signed_hash)"\s?:', MEDIUM,
          "settings, JSON with `uc`"),
    Trace("NovelAI", (ALPHA,), ("stealth_png",), r"\Astealth_png(?:info|comp)\Z", HIGH,
          "settings in the lowest bits of the alpha channel, column by column, in PNG and WebP; also written by "
          "extensions of Stable Diffusion web UI and ComfyUI; looked for where pixels are read, 8 bits only",
          source="source code of NovelAI's reader and of sd_webui_stealth_pnginfo"),
    Trace("NovelAI", ("source",), ("stable diffusion", "novelai"),
          r"\A(?:Stable Diffusion|NovelAI Diffusion)(?: \w{1,10}){0,2} [0-9A-F]{8}\b", HIGH, "model name and hash"),
    Trace("Midjourney", PROSE, ("job id: ",), r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
          HIGH, "prompt and job id"),
    Trace("Midjourney", PROSE, ("--ar ", "--niji ", "--stylize "), r"\s--(?:ar \d+:\d+|niji \d|stylize \d)", MEDIUM,
          "prompt with its switches, without a job id"),
    Trace("Midjourney", PROSE, ("--v ", "--niji "),
          r"\s--(?:v|niji) \d(?:\.\d)? --[a-z]{1,8}\b(?: [\d:.]{1,8})?(?:\s|\Z)|\s--[scqw] \d{1,4} --v \d",
          MEDIUM, "prompt with its version and another switch", source="published prompts"),
    Trace("Suno", ("comment", "description", "title", "woas", "waoas"), ("made with suno", "suno.com/song/"),
          r"\Amade with suno(?: studio)?\s?(?:;|\Z)|\Ahttps?://(?:www\.)?suno\.com/song/[\w-]+", HIGH,
          "comment of its audio files (ID3, Vorbis, RIFF, MP4), and the address of the song",
          source="reports of several projects"),
    Trace("xAI Grok", ("imagedescription", "usercomment", "description"), ("signature: ",),
          r"\ASignature: ?[A-Za-z0-9+/_=-]{40}", MEDIUM, "a signature in Base64 in place of the description"),
    Trace("xAI Grok", ("artist",), ("-",), r"\A[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z",
          LOW, "a random UUID in place of the artist; others may do so"),
    Trace("FLUX", SOFTWARE, ("ai generated;",), r"\AAI generated;\w{3,10};", HIGH, "software of Black Forest Labs"),
    Trace("FLUX", ("make",), ("black forest labs",), r"\ABlack Forest Labs\b", HIGH, "EXIF Make"),
    Trace("Google AI", (*CREDIT, *SOFTWARE, *PROSE), ("google ai", "generated with google"),
          r"\A(?:(?:Made|Edited|Created|Generated) with Google AI\b|AI[- ]Generated with Google)", HIGH,
          "IPTC Credit of Gemini, Imagen and Google Photos", 80),
    Trace("Google AI", ("digitalsourcefiletype",), ("digitalsourcetype/",),
          r"digitalsourcetype/(?:trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic)\b",
          HIGH, "a property that Google writes beside DigitalSourceType", source="files of Gemini, 2026"),
    Trace("Google", ("software",), ("google",), r"\AGoogle\Z", LOW,
          "©too of Veo's MP4 files; YouTube and Meet write the same", source="files of Veo, 2026; logs of FFmpeg"),
    Trace("Apple", (*CREDIT, *SOFTWARE), ("clean up", "image playground"),
          r"\A(?:Apple Photos Clean Up|(?:Apple |Made with )?Image Playground)\b", HIGH,
          "Image Playground; Clean Up, an edit by AI", 80),
    Trace("Meta AI", (*CREDIT, *PROSE), ("imagined with ", "meta ai"),
          r"\A(?:Imagined with (?:Meta )?AI|(?:Made|Created|Generated) (?:with|by) Meta AI|Meta AI)\W?\Z", MEDIUM,
          "a statement of the whole text", 60),
    Trace("Samsung Galaxy AI", ("photoeditor_re_edit_data",), ("genaitype",), r'genAIType\\?"\s?:\s?[1-9]', MEDIUM,
          "edited with it (0: not); as a named text only, the trailer "
          "behind a JPEG picture in which phones keep it is not read"),
    Trace("Dreamina/Jimeng", ("usercomment", "comment"), ('"aigc_info"', '"dreamina"'),
          r'"aigc_info"\s?:|"source_info"\s?:\s?"dreamina"', HIGH, "JSON of ByteDance's editors"),
    Trace("Dreamina/Jimeng", ("artist",), ("",), r"\A[0-9a-f]{64}\Z", LOW,
          "64 hexadecimal digits in place of the artist, beside its other traces; others may do so",
          source="files of Jimeng's web site, 2026-01"),
    Trace("ByteDance", ("usercomment", "comment", "aigcinfo", "aigc_info"), ('"aigc_label_type"',),
          r'"aigc_label_type"\s?:\s?"?[1-9]', MEDIUM, "label type other than 0"),
    Trace("ByteDance", ("usercomment", "comment", "aigcinfo", "aigc_info"), ('"aigc_label_type"',),
          r'"aigc_label_type"\s?:', LOW, "label type 0, whose meaning is not published"),
    Trace("LiblibAI", ("contentinfo",), ("liblib", "contentid"), r"liblib|\"?ContentId\"?", HIGH, "PNG keyword"),
    Trace("Hugging Face job", ("hf-job-id",), ("-",), r"\A[0-9a-fA-F]{8,24}", MEDIUM, "PNG keyword; names no model"),
    Trace("GB 45438-2025", (*PROSE, "copyright"), ("45438",), r"\bAIGC\b[^\n]{0,40}45438", MEDIUM,
          "names the standard, holds no label", 300),
    Trace("Digital Source Type elsewhere", (*CREDIT, *PROSE), ("digitalsourcetype/",),
          r"digitalsourcetype/(?:trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic)\b",
          MEDIUM, "the term of an AI source, in a field not meant for it"),
    Trace("IPTC AI system", ("aisystemused",), ("",), r"\S", HIGH,
          "IPTC 2025.1 property, without a Digital Source Type"),
    Trace("IPTC AI system", ("aipromptinformation", "aipromptwritername", "aisystemversionused"), ("",), r"\S", MEDIUM,
          "IPTC 2025.1 property, without a Digital Source Type"),
)  # fmt: skip

NAMES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Stable Diffusion", ("stable diffusion", "stability ai", "dreamstudio", "automatic1111"),
     r"\b(?:Stable Diffusion|Stability AI|DreamStudio|AUTOMATIC1111)\b"),
    ("ComfyUI", ("comfyui",), r"\bComfyUI\b"),
    ("Fooocus", ("fooocus",), r"\bFooocus\b"),
    ("SD.Next", ("sd.next",), r"\bSD\.Next\b"),
    ("InvokeAI", ("invokeai", "invoke ai"), r"\bInvoke ?AI\b"),
    ("NovelAI", ("novelai",), r"\bNovelAI\b"),
    ("Midjourney", ("midjourney", "nijijourney"), r"\b(?:Midjourney|nijijourney)\b"),
    ("OpenAI", ("dall", "openai", "chatgpt", "gpt-image"), r"\b(?:DALL[-·. ]?E\b|OpenAI\b|ChatGPT\b|gpt-image)"),
    ("Google AI", ("gemini", "imagen "), r"\b(?:Google (?:Gemini|Imagen)|Gemini \d[.\d]* \w{1,10} Image|Imagen \d)\b"),
    ("xAI Grok", ("grok",), r"\b(?:xAI Grok|Grok(?: |-)(?:Imagine|Image|\d))"),
    ("Adobe Firefly", ("adobe firefly",), r"\bAdobe Firefly\b"),
    ("Draw Things", ("draw things",), r"\ADraw Things\b|\bDraw Things (?:app|\d)"),
    ("Leonardo", ("leonardo.ai", "leonardo ai"), r"\bLeonardo[. ]AI\b"),
    ("Ideogram", ("ideogram",), r"\bIdeogram[. ]AI\b|\AIdeogram\Z"),
    ("Microsoft", ("microsoft designer", "bing image creator"), r"\b(?:Microsoft Designer|Bing Image Creator)\b"),
    ("FLUX", ("flux.1", "flux.2"), r"\bFLUX\.[12]\b"),
    ("Recraft", ("recraft",), r"\ARecraft(?:\.ai| AI)?\b"),
    ("Krea", ("krea.ai", "krea ai"), r"\bKrea[. ]AI\b"),
    ("Playground AI", ("playground ai",), r"\bPlayground AI\b"),
    ("NightCafe", ("nightcafe",), r"\bNightCafe\b"),
    ("Craiyon", ("craiyon",), r"\bCraiyon\b"),
    ("Runway", ("runwayml", "runway gen-"), r"\b(?:RunwayML|Runway Gen-\d)"),
    ("Dreamina/Jimeng", ("dreamina", "即梦"), r"\bDreamina\b|即梦AI"),
    ("Doubao", ("豆包ai", "seedream"), r"豆包AI|\bSeedream\b"),
    ("Kling", ("kling ai", "klingai", "可灵"), r"\bKling ?AI\b|可灵AI"),
    ("Qwen/Wan", ("qwen-image", "通义万相", "tongyi wanxiang"), r"\bQwen-Image\b|通义万相|\bTongyi Wanxiang\b"),
    ("Hailuo", ("hailuo", "海螺ai"), r"\bHailuo ?AI\b|海螺AI"),
    ("Vidu", ("vidu ai", "vidu.ai", "vidu.cn"), r"\bVidu[. ](?:AI|cn|com)\b"),
    ("PixVerse", ("pixverse",), r"\bPixVerse\b"),
    ("Pika", ("pika labs", "pika.art"), r"\bPika(?: Labs|\.art)\b"),
    ("Luma", ("dream machine", "luma ai"), r"\bLuma (?:Dream Machine|AI)\b"),
    ("LiblibAI", ("liblib",), r"\bLiblib(?:AI|\.art)?\b"),
)  # fmt: skip

_STATED = (
    r"\A\W{0,3}(?:(?:this|the) )?(?:(?:AI|digital) )?"
    r"(?:(?:image|picture|photo|art|artwork|illustration|video|clip|music|song|render)s? )?(?:(?:was|is|were|are) )?"
    r"(?:generated|created|made|imagined|painted|drawn|rendered) (?:by|with|using|in|via) (?:the )?"
)
_VERSION = r"(?:[ -]?v?\d[\w.]{0,12}| ?\[\w{1,12}\]| ?AI)?[\s.!)\]*]{0,4}\Z"
_ALONE = r"\A\W{0,3}"
_PRODUCTS = {"OpenAI": r"(?:OpenAI(?:'s)? )?(?:DALL[-·. ]?E|ChatGPT|gpt-image)"}
"""Of companies that hand out photographs as well, the names that count as makers."""


def _named() -> tuple[Trace, ...]:
    """Return four rows for each name: as the software, as the maker alone, in a statement alone, and anywhere else."""
    software = [Trace(name, SOFTWARE, needles, pattern, HIGH, "names itself as the software", 200)
                for name, needles, pattern in NAMES]  # fmt: skip
    inner = {name: _anywhere(pattern) for name, _, pattern in NAMES}
    credits_ = [Trace(name, CREDIT, needles, _ALONE + _PRODUCTS.get(name, inner[name]) + _VERSION, MEDIUM,
                      "named as the maker, alone", 60) for name, needles, _ in NAMES]  # fmt: skip
    stated = [Trace(name, (*PROSE, *CREDIT), needles, _STATED + inner[name] + _VERSION, MEDIUM,
                    "“generated by …”, and nothing else", 80) for name, needles, _ in NAMES]  # fmt: skip
    mentions = [Trace(name, (*PROSE, *CREDIT), needles, pattern, LOW, "a mention") for name, needles, pattern in NAMES]
    return (*software, *credits_, *stated, *mentions)


def _anywhere(pattern: str) -> str:
    """Return the pattern of a name for the middle of a longer one."""
    return f"(?:{pattern.replace(chr(92) + 'A', '').replace(chr(92) + 'Z', '')})"


GENERAL: tuple[Trace, ...] = (
    Trace("Canva", SOFTWARE, ("canva",), r"\ACanva\b", LOW, "an editor that can generate, and mostly does not"),
    Trace("not named", ("keywords", "subject", "xpkeywords"), ("generative ai", "ai generated", "ai-generated"),
          r"(?:\A|[,;]\s?)(?:generative AI|AI[- ]generated(?: (?:art|image|content))?)\s?(?:[,;]|\Z)", MEDIUM,
          "the keyword that picture agencies ask for", 2000, source="rules of Adobe Stock for contributors"),
)  # fmt: skip

TRACES: tuple[Trace, ...] = (*STRUCTURES, *GENERAL, *_named())
"""The table, which docs/traces.md shows. Of the rows that match a text the one of highest confidence is reported."""


class _Row(NamedTuple):
    """A row; ``rank`` orders rows by falling confidence."""

    rank: int
    trace: Trace

    def fits(self, text: str) -> bool:
        if self.trace.longest and len(text) > self.trace.longest:
            return False
        return all(_compiled(pattern).search(text) for pattern in (self.trace.pattern, self.trace.also) if pattern)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the table where its needle was found: all of them take longer than reading a file."""
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_Rows = tuple[tuple[str, tuple[_Row, ...]], ...]


@cache
def _by_key() -> dict[str, _Rows]:
    """Return the rows by their field and needles, so that a text is searched once for each needle."""
    order = (HIGH, MEDIUM, LOW)
    found: dict[str, dict[str, list[_Row]]] = {}
    for rank, trace in enumerate(sorted(TRACES, key=lambda each: order.index(each.confidence))):
        row = _Row(rank, trace)
        for key in trace.keys:
            for needle in trace.needles:
                found.setdefault(key, {}).setdefault(needle, []).append(row)
    return {key: tuple((needle, tuple(rows)) for needle, rows in needles.items()) for key, needles in found.items()}


def read(key: str, text: str, where: str) -> Finding | None:
    """Match one named text (PNG keyword, EXIF tag, XMP property or IIM dataset, by its local name) against the table.

    The finding's value has ``generator``, ``confidence`` (high, medium, low) and ``text``, the beginning of the text.
    """
    key = SHORT_NAMES.get(key.lower(), key.lower())
    if not looked_at(key) or not (text := text[:MAX_TEXT].strip("\0\t\r\n ")):
        return None
    found = _match_short(key, text) if len(text) <= _SHORT else _match(key, text)
    if found is None:
        return None
    value = {"generator": found[0], "confidence": found[1], "text": text[:MAX_SHOWN]}
    return Finding("generator", Status.PRESENT, where, value, Signature.NONE)


def _match(key: str, text: str) -> tuple[str, str] | None:
    """Return the generator and the confidence, by the table and, for short texts, by what the text says."""
    lower = text.lower()
    near = [row for needle, rows in _by_key().get(key, ()) if needle in lower for row in rows]
    found = next((row.trace for row in sorted(near, key=lambda each: each.rank) if row.fits(text)), None)
    if (found is None or found.confidence == LOW) and key in SAYING:
        from labeling.marks import wording  # the grammar takes longer to load than a file to read

        said = wording.read(text.strip("*_~>#-` \t")) if len(text) <= wording.MAX_TEXT else None
        if said and said.kind is wording.Kind.STATEMENT:
            return (found.generator if found else said.vendor or "not named"), MEDIUM
    return (found.generator, found.confidence) if found else None


_SHORT = 200
_match_short = lru_cache(maxsize=4096)(_match)
"""Cached: many files of a run were written by the same software and makers."""


def looked_at(key: str) -> bool:
    """Return whether any row reads a field of this name; other fields need not be decoded."""
    key = SHORT_NAMES.get(key.lower(), key.lower())
    return key in _by_key() or key in SAYING
