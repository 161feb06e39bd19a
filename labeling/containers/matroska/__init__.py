"""Matroska and WebM: EBML elements and tags."""
