"""What a provider hands to a regulator: measured on samples, clause by clause, and against the EU's Code."""
