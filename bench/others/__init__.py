"""One adapter a rival, all of one shape, so that every library is asked the same question.

`bind(alg, key)` builds key object and policy once and returns a callable `text -> result` that checks
signature, issuer, audience and expiry or raises; `claims(result)` gives the claims as a plain dict. `bind`
raises `LookupError` for an algorithm that the library lacks. Each rival gets the call shape that was fastest
for it.
"""
