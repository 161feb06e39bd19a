"""The version, written here and nowhere else: pyproject.toml reads it, and so does everything that reports it."""

__version__ = "0.2.0"
