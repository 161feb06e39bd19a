"""Type aliases of the public API.

Importing this module loads numpy and Pillow. Inside the package, import it under ``TYPE_CHECKING`` only.
"""

from __future__ import annotations

import os
from typing import Any, Protocol, TypeAlias, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture: TypeAlias = Image.Image | NDArray[np.uint8] | bytes | bytearray | memoryview
"""A picture in memory.

A PIL image; an ndarray of uint8, shape (H, W, 3) for RGB or (H, W, 4) for RGBA; or the bytes of a picture file.
"""


class Tensor(Protocol):
    """What has PyTorch's ``detach``, ``cpu`` and ``numpy``."""

    def detach(self) -> Any: ...
    def cpu(self) -> Any: ...
    def numpy(self) -> Any: ...


Frame: TypeAlias = Image.Image | NDArray[np.uint8] | Tensor
"""A frame of a video.

A PIL image; an ndarray of uint8, shape (H, W, 3) for RGB, (H, W, 4) for RGBA or (H, W) for gray; or a tensor.
"""

FrameT = TypeVar("FrameT", bound=Image.Image | NDArray[np.uint8])
"""One kind of frame, which comes back as the same kind."""

Audio: TypeAlias = str | os.PathLike[str] | NDArray[np.float32] | NDArray[np.int16]
"""The path of a file with sound, or samples: an ndarray (samples, channels) or (samples,) of float32 or int16."""


class VideoCoding(TypedDict, total=False):
    """How frames are encoded: parameters of :class:`labeling.codecs.video.writer.VideoWriter`."""

    codec: str
    quality: int | None
    preset: str | None
    pix_fmt: str
    audio: Audio | None
    audio_rate: int | None
