"""Many files: label or verify a folder or bucket of any size, resume, and report."""
