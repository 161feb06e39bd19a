"""The verifier: evidence from a file, findings, and the report."""
