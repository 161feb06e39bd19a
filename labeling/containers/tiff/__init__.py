"""TIFF: the metadata in its directories, and edits of their tags."""
