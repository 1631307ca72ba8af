"""The program `observatory`. It says in words what is wrong where its own packages cannot be imported."""

from __future__ import annotations

import sys


def main() -> None:
    """The command line."""
    try:
        from provisioning.cli import main as observatory
    except ImportError as problem:
        from provisioning.installed import import_failed

        print(import_failed(problem), file=sys.stderr)
        sys.exit(2)
    observatory()


if __name__ == "__main__":
    main()
