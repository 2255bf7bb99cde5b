"""`python -m stepdown` is `stepdown`."""

from stepdown.cli import main

if __name__ == "__main__":
    main()
