"""Draw an overlay on video: on decoded frames of a file, and on frames that go straight into an encoder."""
