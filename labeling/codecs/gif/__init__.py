"""GIF pixels."""
