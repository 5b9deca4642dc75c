"""Judging what others publish and configure, without verifying a token.

``keysets`` reads a published JWK set as a verifier does, key by key; ``keylint`` says what is wrong with it and what to
do; ``keydiff`` compares two; ``endpoints`` looks at the address it comes from. All of it is data: the command line only
shows it.
"""
