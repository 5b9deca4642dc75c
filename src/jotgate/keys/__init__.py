"""Keys: what may verify and sign, and what must never.

``algorithms`` is the table of algorithms, ``key`` has the two key classes, ``keyset`` the set a verifier
looks keys up in. Below them: ``jwk`` (JWK members to checked ``material`` and back), ``metadata`` (what a JWK
says about itself), ``pem`` (PEM and DER), ``strength`` (weak public keys), ``secrets`` (what must not be an
HMAC secret), ``primitives`` (what `cryptography` is asked to do) and ``frozen`` (objects that do not change).
``lanes`` prepares keys in the machine's libcrypto after a ``selftest``; ``tables`` has multiples of busy ES256 keys
built, which a ``table_test`` lets serve.
Beside them, for keys that change: ``feed`` (how verifiers learn of it) and ``remote`` (keys at a URL), which stands on
``freshness`` (states and times, without a clock), ``flight`` (one fetch, and who waits for it), ``document`` (what is
asked and what an answer says), ``urls`` (where keys may be fetched from), ``fetch`` (the one place that does),
``caching`` (how long an answer lasts) and ``discovery`` (where an issuer says that its keys are).

An issuer's own: ``ring`` (the public face), ``ring_arguments`` (what it is opened with), ``lifecycle`` (states and
steps, without I/O), ``ring_feed`` (its reading side), ``ring_writer`` (its writing side), ``ring_store`` and
``manifest`` (the directory and its one file), ``files`` (what survives a kill), ``signers`` (private keys in files, and
what is asked of signers elsewhere) and ``maintenance``.
What verifiers fetch of it: ``public_document`` (public members only) and ``publish`` (over HTTP, or as a file).
"""
