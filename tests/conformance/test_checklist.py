"""Hold the RFC checklist and its tests together."""

import ast
from pathlib import Path

from conformance.checklist import SIZE, TESTS, WAITING


def functions_here() -> set[str]:
    return {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_requirement_has_a_test_or_a_reason() -> None:
    assert set(TESTS) | set(WAITING) == set(range(1, SIZE + 1))
    assert not set(TESTS) & set(WAITING)


def test_every_named_test_exists() -> None:
    named = {name for names in TESTS.values() for name in names}
    assert named <= functions_here()
