"""The perceptual fingerprint of a picture or film: recognises it when its metadata is gone."""
