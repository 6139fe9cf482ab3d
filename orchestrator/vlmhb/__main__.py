"""`python -m vlmhb`."""

from vlmhb.cli import main

main()
