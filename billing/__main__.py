"""`python -m billing` is `billing`."""

from .cli import main

main()
