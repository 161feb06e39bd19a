"""Stands for your model: paints a picture for a prompt.

The painting itself is that of ``aigc-label demo``; put your own generator in its place.
"""

from __future__ import annotations

from PIL import Image

from labeling.cli._pictures import PICTURES, picture

MODEL = "example-diffusion"
VERSION = "3.1"

# A made-up provider: the region 000000 does not exist. Yours comes from your unified social credit code:
# str(labeling.ProviderCode.build("91…", model="0001"))
PROVIDER = "001191000000MA00DEM00P10001"

PROMPTS = {
    "mountains in the mist at dawn": "dawn",
    "northern lights over a lake": "night",
    "folded silk, macro": "silk",
    "snowy hills, minimalist": "snow",
    "a river of ink strokes": "flow",
}


def generate(prompt: str, seed: int = 7, size: tuple[int, int] = (960, 640)) -> Image.Image:
    """Paint an RGB picture for a prompt; unknown prompts get one of the known pictures."""
    name = PROMPTS.get(prompt) or list(PICTURES)[sum(prompt.encode()) % len(PICTURES)]
    made: Image.Image = picture(name, *size, seed=seed)
    return made
