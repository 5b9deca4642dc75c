"""The README's Python runs as printed."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_every_python_block_runs_in_order():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
    assert len(blocks) >= 3
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)


def test_every_code_of_an_error_is_listed():
    from jotgate.errors import BY_FAULT

    text = README.read_text()
    for error, code, _ in BY_FAULT.values():
        assert f"`{code}`" in text, code
        assert f"`{error.__name__}`" in text, error


def test_every_algorithm_is_listed():
    from jotgate._key import ALGORITHM_NUMBERS

    text = README.read_text()
    for name in ALGORITHM_NUMBERS:
        assert f"`{name}`" in text, name
