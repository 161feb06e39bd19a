"""c2pa, with its native library from the folder it was installed in: the one place of this package that imports it.

c2pa-python looks for its library in the current folder first, and in ``artifacts`` and ``libs`` there. Whoever verifies
a stranger's files where they lie would run a ``libc2pa_c.so`` that lies beside them. So the library is loaded here, by
its absolute path, and handed to the package in place of its search. Nothing is set in the environment, and the current
folder stays what it is.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from labeling.errors import LabelingError

_PACKAGE, _LOADER, _SEARCH = "c2pa", "c2pa.lib", "dynamically_load_library"

_NAMES = {"darwin": "libc2pa_c.dylib", "win32": "c2pa_c.dll"}
_NAME = _NAMES.get(sys.platform, "libc2pa_c.so")

_OWN_BUILD = "C2PA_LIBRARY_NAME"
"""c2pa-python's variable for another build of the library. Only an absolute path is heeded."""

_REINSTALL = "install it anew: pip install --force-reinstall c2pa-python"

_lock = threading.Lock()
_loaded: Any = None


def load() -> Any:
    """Return the module ``c2pa``.

    A program that has imported c2pa before has chosen its library, and keeps it.

    Raises:
        LabelingError: c2pa is not installed, its library is not in its folder, or this version of c2pa-python loads it
            in another way, which might be from the current folder.
    """
    global _loaded
    if _loaded is None:
        with _lock:
            _loaded = _load()
    return _loaded


def _load() -> Any:
    package = sys.modules.get(_PACKAGE)
    if package is not None and hasattr(package, "Reader"):
        return package
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LabelingError("c2pa-python is not installed", hint=_REINSTALL)
    folder = Path(spec.submodule_search_locations[0]).absolute()
    library = _installed_library(folder)
    sys.modules[_LOADER] = _loader(folder, library)
    try:
        package = importlib.import_module(_PACKAGE)
        used: ctypes.CDLL = importlib.import_module(f"{_PACKAGE}.{_PACKAGE}")._lib
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        del sys.modules[_LOADER]
        raise LabelingError(f"c2pa-python cannot be loaded ({error})", hint=_REINSTALL) from error
    if used._handle != library._handle:
        raise _unknown_version()
    return package


def _installed_library(folder: Path) -> ctypes.CDLL:
    """Load the native library in the package's folder. Raises :class:`LabelingError`."""
    own = os.environ.get(_OWN_BUILD, "")
    builds = [Path(own)] if Path(own).is_absolute() else sorted(folder.rglob(_NAME))
    reasons = [] if builds else [f"there is no {_NAME} in {folder}"]
    for path in builds:  # a source tree may hold one for every architecture
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            reasons.append(str(error))
    raise LabelingError(f"the library of c2pa-python cannot be loaded ({'; '.join(reasons)})", hint=_REINSTALL)


def _loader(folder: Path, library: ctypes.CDLL) -> ModuleType:
    """Return the package's module ``c2pa.lib``, whose search finds ``library``. Raises :class:`LabelingError`."""
    spec = importlib.util.spec_from_file_location(_LOADER, folder / "lib.py")
    if spec is None or spec.loader is None or not (folder / "lib.py").is_file():
        raise _unknown_version()
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, _SEARCH, None)):
        raise _unknown_version()

    def search(lib_name: str | None = None) -> ctypes.CDLL:
        return library

    setattr(module, _SEARCH, search)
    return module


def _unknown_version() -> LabelingError:
    return LabelingError(
        "this version of c2pa-python loads its native library in a way that is not known to be safe",
        hint="install a version that aigc-labeling was made for: pip install --upgrade aigc-labeling",
    )
