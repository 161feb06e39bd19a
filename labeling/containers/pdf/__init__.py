"""PDF: the Info dictionary and XMP streams."""
