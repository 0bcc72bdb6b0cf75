"""The ``chatloom`` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. Exit codes: 0 fine, 1 failed or found problems, 2 wrongly called."""
    try:
        from chatloom.cli.application import application
    except ImportError as error:
        missing = f"the server's parts are not installed ({error.name} is missing)"
        sys.exit(f"chatloom: {missing}; try: pip install 'chatloom[server]'")
    try:
        application()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"chatloom: {where}{error.strerror or error}")
    finally:
        _drop_what_cannot_be_written()


def _drop_what_cannot_be_written() -> None:
    """Python would try again as it ends, and complain: a full disk, a terminal that is gone."""
    for file in filter(None, (sys.stdout, sys.stderr)):
        try:
            file.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


if __name__ == "__main__":
    main()
