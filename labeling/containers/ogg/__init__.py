"""OGG and Opus: pages and comment headers."""
