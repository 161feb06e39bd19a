"""The pipelines that label: pictures and video in, labelled files out."""
