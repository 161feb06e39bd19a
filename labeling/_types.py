"""Type aliases of the public API.

Importing this module loads numpy and Pillow. Inside the package, import it under ``TYPE_CHECKING`` only.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture: TypeAlias = Image.Image | NDArray[np.uint8] | bytes | bytearray | memoryview
"""A picture in memory.

A PIL image; an ndarray of uint8, shape (H, W, 3) for RGB or (H, W, 4) for RGBA; or the bytes of a picture file.
"""
