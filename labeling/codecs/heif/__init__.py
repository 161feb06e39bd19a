"""Paint on HEIC and AVIF files: only the coded pictures under the label are encoded again, in the file they are in."""
