"""Which label was given to which content, kept for the time the law asks."""
