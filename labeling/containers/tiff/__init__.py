"""TIFF: directories and their tags."""
