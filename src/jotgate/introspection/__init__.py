"""Asking an issuer about a token, and answering as one: RFC 7662, and RFC 7009 for taking tokens back."""
