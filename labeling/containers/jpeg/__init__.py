"""JPEG: segments, and the pictures behind the first one (MPF)."""
