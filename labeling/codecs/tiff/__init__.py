"""TIFF pixels."""
