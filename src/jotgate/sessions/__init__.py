"""Sessions of users: short access tokens, and refresh tokens that rotate."""
