"""Builds the native modules of ext/. Everything else about the package is in pyproject.toml.

Environment switches (for developers; none is needed to install):
    JOTGATE_SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer
    JOTGATE_COVERAGE=1  gcov instrumentation (tests/native_coverage.py reads it)
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SANITIZE = os.environ.get("JOTGATE_SANITIZE") == "1"
COVERAGE = os.environ.get("JOTGATE_COVERAGE") == "1"

sources = sorted(Path("ext/jotgate").glob("*.pyx"))
compile_args, link_args = [], []
if sys.platform != "win32":
    compile_args = ["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-sign-compare"]
if SANITIZE:
    # -fno-sanitize=alignment stays off the list on purpose: unaligned loads go through memcpy
    compile_args = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
    compile_args += ["-fno-sanitize-recover=undefined"]
    link_args = ["-fsanitize=address,undefined"]
if COVERAGE:
    # Not Cython's own line tracing: that turns returned structs into Python objects, and a Span is no C string.
    compile_args = ["-O0", "--coverage"]
    link_args = ["--coverage"]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"jotgate.{source.stem}",
                [source.as_posix()],
                depends=[path.as_posix() for path in sorted(Path("ext/jotgate").glob("*.*[dxh]"))],
                include_dirs=["ext/jotgate"],
                extra_compile_args=compile_args,
                extra_link_args=link_args,
            )
            for source in sources
        ],
        include_path=["ext"],
        build_dir="build/cython",
        annotate=os.environ.get("JOTGATE_ANNOTATE") == "1",
        compiler_directives={
            "language_level": "3",
            "binding": False,
            "cdivision": True,
            "always_allow_keywords": True,
            "auto_pickle": False,
            "embedsignature": True,
        },
    ),
)
