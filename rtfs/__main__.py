"""`python -m rtfs`: the command line."""

from rtfs.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
