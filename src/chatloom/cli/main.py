"""The ``chatloom`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Exit codes: 0 fine, 1 failed or found problems, 2 wrongly called."""
    try:
        from chatloom.cli.application import application
    except ImportError as error:
        missing = f"the server's parts are not installed ({error.name} is missing)"
        sys.exit(f"chatloom: {missing}; try: pip install 'chatloom[server]'")
    application()


if __name__ == "__main__":
    main()
