"""HEIF, HEIC and AVIF: the items of the meta box."""
