"""FLV: the onMetaData script tag."""
