"""`python -m spreadlake` is the `spreadlake` command."""

from spreadlake.cli.app import main

main()
