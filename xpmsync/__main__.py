"""Lets ``python -m xpmsync`` stand for the ``xpmsync`` command."""

from xpmsync.cli import main

if __name__ == "__main__":
    main()
