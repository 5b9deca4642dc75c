"""Who may import whom, read from the import and cimport lines."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXT, SRC = ROOT / "ext" / "jotgate", ROOT / "src" / "jotgate"

# Each native module may use those before it.
NATIVE_ORDER = [
    "_fault",
    "_clock",
    "_sync",
    "_codec",
    "_json",
    "_claims",
    "_key",
    "_lanes",
    "_points",
    "_ecdsa",
    "_table_lane",
    "_shards",
    "_revoked",
    "_models",
    "_frozen",
    "_token",
    "_memo",
    "_shadow",
    "_table",
    "_cache",
    "_flights",
    "_binding",
    "_engine",
    "_judge",
    "_batch",
]
# Rooms by layer; a module may import its own layer (but for the fourth) and everything below.
LAYERS: list[tuple[str, ...]] = [
    ("errors",),
    ("token", "policy", "unverified", "keys", "stores"),
    ("binding", "batch", "workers", "jws", "verifier", "issuing"),
    ("revocation", "sessions", "introspection", "encryption"),
    ("integrations", "incident", "gateway", "audit", "bulk"),
    ("cli", "__main__"),
]
SEPARATE_SIBLINGS = LAYERS[3]

NETWORK = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "asyncio",
    "selectors",
    "socketserver",
    "ftplib",
    "smtplib",
    "redis",
    "httpx",
    "aiohttp",
    "requests",
}
NETWORK_ROOMS = (
    # The one place that fetches for key sets, also for those who do not refresh: discovery, the command line.
    "keys/fetch.py",
    "keys/remote.py",
    "keys/flight.py",  # waits in event loops
    "introspection/client.py",
    "introspection/auth.py",  # TLS settings with a client's certificate
    "introspection/endpoint.py",  # waits in event loops
    "stores/redis/",
    "gateway/",
    "integrations/",
    "audit/",
    "cli/",
)
RANDOM = {"random", "secrets", "uuid"}
RANDOM_ROOMS = (
    "issuing/",
    "sessions/",
    "stores/encoding.py",  # marks: they tell a history from one that took its place
    "keys/primitives.py",
    "keys/remote.py",  # jitter
    "introspection/client.py",  # the key of its cache
    "introspection/auth.py",  # client assertions
    "cli/",
    "audit/",
)
TIME = {"time", "datetime"}
TIME_ROOMS = ("cli/",)


def python_files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def native_files() -> list[Path]:
    return sorted([*EXT.glob("*.pyx"), *EXT.glob("*.pxd")])


def room_of(path: Path) -> str:
    """Return the layer's word for a module of src: its directory, or its file name."""
    parts = path.relative_to(SRC).parts
    return parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Return the absolute names a Python file imports, and whether at the top of the file."""
    tree = ast.parse(path.read_text("utf-8"))
    package = ["jotgate", *path.relative_to(SRC).parts[:-1]]
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found += [(f"{module}.{alias.name}", id(node) in top) for alias in node.names]
    return found


def native_imports_of(path: Path) -> list[tuple[str, bool]]:
    """Return (dotted name, is a cimport) of what a native file imports."""
    text = path.read_text("utf-8")
    found = []
    for match in re.finditer(r"^\s*from\s+([\w.]+)\s+(c?import)\s+\(?([\w\s,]+)", text, re.MULTILINE):
        module = f"jotgate.{match[1].lstrip('.')}".rstrip(".") if match[1].startswith(".") else match[1]
        names = match[3].split(",") if module == "jotgate" else [""]
        found += [(f"{module}.{name.split()[0]}" if name.split() else module, match[2] == "cimport") for name in names]
    for match in re.finditer(r"^\s*(c?import)\s+([\w., ]+)", text, re.MULTILINE):
        found += [(name.split()[0], match[1] == "cimport") for name in match[2].split(",")]
    return found


def own(name: str) -> str | None:
    """Return the first part below `jotgate` of a name, or None for a foreign one."""
    parts = name.split(".")
    return parts[1] if parts[0] == "jotgate" and len(parts) > 1 else None


@pytest.mark.parametrize("path", native_files(), ids=lambda path: path.name)
def test_native_modules_stand_on_lower_ones(path: Path) -> None:
    if path.stem == "__init__":
        return
    level = NATIVE_ORDER.index(path.stem)
    for name, _ in native_imports_of(path):
        target = own(name)
        if target is None or target == path.stem:
            continue
        if target == "errors":
            assert path.stem not in ("_fault", "_clock"), f"{path.name} imports errors, which stands on _fault"
        else:
            assert target in NATIVE_ORDER[:level], f"{path.name} must not use {target}"


@pytest.mark.parametrize("path", native_files(), ids=lambda path: path.name)
def test_native_code_imports_nothing_of_src_but_errors(path: Path) -> None:
    for name, is_cimport in native_imports_of(path):
        target = own(name)
        if target is not None:
            assert target.startswith("_") or (target == "errors" and not is_cimport), f"{path.name}: {name}"


def test_native_code_has_no_textual_include() -> None:
    for path in native_files():
        assert not re.search(r"^\s*include\s", path.read_text("utf-8"), re.MULTILINE), path.name


def layer_of(room: str) -> int:
    for number, rooms in enumerate(LAYERS):
        if room in rooms:
            return number
    raise AssertionError(f"{room} has no layer: give it one in this test and in the design")


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(SRC)))
def test_no_module_imports_upwards(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    level = layer_of(room)
    for name, _ in imports_of(path):
        target = own(name)
        if target is None or target == room or target.startswith("_"):
            # Native modules are open to all of src, but for errors, which only knows the codes.
            assert room != "errors" or target in (None, "_fault"), f"errors imports {name}"
            continue
        if not ((SRC / target).is_dir() or (SRC / f"{target}.py").exists()):
            continue  # a name of the package itself, checked below
        assert layer_of(target) <= level, f"{room} imports {name}: upwards"
        if room in SEPARATE_SIBLINGS:
            assert target not in SEPARATE_SIBLINGS, f"{room} imports its sibling {target}"
        if room == "verifier":
            assert target != "revocation"


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(SRC)))
def test_below_the_top_layers_nobody_imports_the_package_itself(path: Path) -> None:
    """`from jotgate import X` runs the lazy table and would hide an arrow."""
    if room_of(path) in ("__init__", *LAYERS[4], *LAYERS[5]):
        return
    for name, _ in imports_of(path):
        target = own(name)
        if target is not None:
            assert target.startswith("_") or (SRC / target).is_dir() or (SRC / f"{target}.py").exists(), name


def allowed(path: Path, rooms: tuple[str, ...]) -> bool:
    return any(str(path.relative_to(SRC).as_posix()).startswith(room) for room in rooms)


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(SRC)))
def test_network_time_and_randomness_have_their_rooms(path: Path) -> None:
    for name, _ in imports_of(path):
        first = name.split(".")[0]
        if name.startswith("urllib.parse."):
            continue  # text alone
        for words, rooms in ((NETWORK, NETWORK_ROOMS), (RANDOM, RANDOM_ROOMS), (TIME, TIME_ROOMS)):
            if first in words and own(name) is None:
                assert allowed(path, rooms), f"{path.relative_to(SRC)} imports {name}"
        if name in ("os.urandom", "os.getrandom"):
            assert allowed(path, RANDOM_ROOMS), f"{path.relative_to(SRC)} imports {name}"
    text = path.read_text("utf-8")
    if not allowed(path, RANDOM_ROOMS):
        assert "urandom" not in text
    if not allowed(path, TIME_ROOMS):
        assert not re.search(r"\btime\.(time|time_ns|monotonic|monotonic_ns)\(", text)
        assert "datetime.now" not in text


def test_native_code_reads_the_clock_in_one_place() -> None:
    for path in native_files():
        text = path.read_text("utf-8")
        times = {"time", "datetime"}
        if path.stem == "_clock":
            times = {"datetime"}
        else:
            assert not re.search(r"timespec_get|clock_gettime|gettimeofday|<time\.h>|posix\.time", text), path.name
        for name, _ in native_imports_of(path):
            assert name.split(".")[0] not in NETWORK | RANDOM | times, f"{path.name}: {name}"


HEAVY = {
    "http",
    "asyncio",
    "concurrent",
    "dataclasses",
    "logging",
    "ssl",
    "sqlite3",
    "orjson",
    "redis",
    "inspect",
    "socket",
    "urllib",
}


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(SRC)))
def test_heavy_modules_load_on_first_use(path: Path) -> None:
    if room_of(path) in ("cli", "__main__", *LAYERS[4]):
        return
    for name, at_top in imports_of(path):
        if at_top:
            assert name.split(".")[0] not in HEAVY, f"{path.relative_to(SRC)} imports {name} at its top"


def test_the_package_is_one_lazy_table() -> None:
    tree = ast.parse((SRC / "__init__.py").read_text("utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert set(functions) <= {"__getattr__", "__dir__"}
    assert not [node for node in tree.body if isinstance(node, ast.ClassDef)]


def test_files_stay_readable() -> None:
    """Past about 400 lines a file has a seam. The scanner, the pipeline and the batch are read as one."""
    for path in [
        *python_files(),
        *(path for path in native_files() if path.stem not in ("_json", "_engine", "_batch")),
    ]:
        assert len(path.read_text("utf-8").splitlines()) <= 450, path
