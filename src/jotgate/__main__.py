"""Run the command line with ``python -m jotgate``."""

from jotgate.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
