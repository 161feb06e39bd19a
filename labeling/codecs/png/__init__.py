"""Paint on PNG and APNG files."""
