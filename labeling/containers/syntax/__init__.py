"""Syntax that several formats share: ISO-BMFF boxes, RIFF chunks, ID3v2 and Vorbis comments."""
