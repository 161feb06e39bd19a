"""JPEG pixels, edited as DCT coefficients."""
