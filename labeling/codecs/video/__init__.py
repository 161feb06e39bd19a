"""Laying an overlay on moving pictures: on decoded frames, and on frames that go straight into an encoder."""
