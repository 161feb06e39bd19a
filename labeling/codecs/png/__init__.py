"""PNG and APNG pixels."""
