"""PDF: objects, the file's structure, and the metadata in it."""
