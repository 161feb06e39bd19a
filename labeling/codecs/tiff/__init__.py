"""Paint on TIFF files."""
