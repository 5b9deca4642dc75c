"""Hold the attack catalogue and the tests together."""

import ast
import re
from pathlib import Path

import pytest
from attacks.rows import ROWS, WAITING

TEST_NAME = re.compile(r"test_([a-k])(\d+)_")


def rows_with_a_test() -> set[str]:
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (match := TEST_NAME.match(node.name)):
                found.add(f"{match[1].upper()}{match[2]}")
    return found


TESTED = rows_with_a_test()


def test_the_catalogue_has_149_rows() -> None:
    assert len(ROWS) == 149


@pytest.mark.parametrize("row", ROWS)
def test_row_has_a_test_or_a_reason(row: str) -> None:
    assert (row in TESTED) != (row in WAITING), "either a test or a reason, not both"


def test_no_test_names_a_row_that_is_not_in_the_catalogue() -> None:
    assert set(ROWS) >= TESTED
    assert set(ROWS) >= set(WAITING)
