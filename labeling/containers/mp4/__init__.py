"""MP4, MOV and M4A: boxes, metadata lists and samples."""
