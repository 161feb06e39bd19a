"""Paint on GIF files."""
