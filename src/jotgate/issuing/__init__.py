"""Making tokens: ``issuer`` writes and signs them, ``guard`` keeps out what everybody could read."""
