"""Paint on WebP files (RFC 9649): only the pictures under the label are encoded again, in the file they are in."""
