"""``python -m chatloom`` is the same as ``chatloom``."""

from chatloom.cli.main import main

if __name__ == "__main__":
    main()
