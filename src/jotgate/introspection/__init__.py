"""Asking an issuer about a token, and answering as one: RFC 7662; and RFC 7009, for taking tokens back.

Who asks: ``client``, which stands on ``auth`` (who we are), ``token`` (what an answer says) and ``answers`` (those that
are remembered); ``hybrid`` asks about what a verifier has accepted.
Who answers: ``responder`` and ``revocation_endpoint``, which stand on ``endpoint`` (requests and responses) and
``callers`` (who may call).
"""
