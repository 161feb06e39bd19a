"""Which package opens the URLs of a protocol: by extras of ours, or by what fsspec says of its own."""

from __future__ import annotations

import re

EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "aigc-labeling[s3]"),
    **dict.fromkeys(("gs", "gcs"), "aigc-labeling[gs]"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "aigc-labeling[azure]"),
}
"""Protocols of stores whose objects have properties that we know."""

_PACKAGES = {
    "arrow_hdfs": "pyarrow", "hdfs": "pyarrow", "dask": "distributed", "dbfs": "requests", "gdrive": "gdrive-fsspec",
    "git": "pygit2", "gist": "requests", "github": "requests", "http": "aiohttp", "https": "aiohttp",
    "jlab": "requests", "jupyter": "requests", "libarchive": "libarchive-c", "root": "fsspec-xrootd",
    "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol", "webhdfs": "requests",
}  # fmt: skip
"""What the file systems need that are fsspec's own, or in a package of another name than their module."""


def package_for(protocol: str) -> str:
    """Return what to install for the URLs of a protocol; empty if nobody knows it, or it needs nothing."""
    from fsspec.registry import known_implementations

    if named := EXTRAS.get(protocol) or _PACKAGES.get(protocol):
        return named
    known = known_implementations.get(protocol, {})
    module = str(known.get("class", "")).partition(".")[0]
    if module in ("", "fsspec"):
        found = re.search(r"[Ii]nstall (?:the )?['\"]?([A-Za-z][\w.\[\]-]*)", str(known.get("err", "")))
        return found[1] if found else ""
    return module.replace("_", "-")


def install_hint(protocol: str) -> str:
    """Return how to install what opens the URLs of a protocol."""
    package = package_for(protocol)
    return f"pip install '{package}'" if package else "install the package that provides it to fsspec"
