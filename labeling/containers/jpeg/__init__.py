"""JPEG: segments, metadata in them, and the index of further pictures (MPF)."""
