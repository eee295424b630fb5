"""``python -m wassflow``: the command line."""

from wassflow.cli import main

if __name__ == "__main__":
    main()
