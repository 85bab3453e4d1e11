"""`python -m neurodsr` is the command `neurodsr`."""

from neurodsr.cli.main import main

if __name__ == "__main__":
    main()
