"""A slice of the comparison of both backends; CI runs a million cases (`.ci/run`)."""

from support import served_algorithms

from tests.differential.backends import run


def test_both_backends_say_the_same() -> None:
    algorithms = served_algorithms()
    counts = run(6_000, 1, algorithms)
    assert all(counts.values())
    assert {"HS256", "RS256", "PS256", "ES256", "Ed25519"} <= set(algorithms)
