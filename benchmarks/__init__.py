"""The figures that this project promises, measured: ours, the alternative, the ratio. Run ``python -m benchmarks``."""

PRODUCER = "001191110102MACQD9K64010000"
"""The provider code that everything here is labelled with."""
