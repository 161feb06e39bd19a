"""Paint on JPEG files, in the DCT domain."""
