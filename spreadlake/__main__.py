"""`python -m spreadlake` is the `spreadlake` command."""

from launcher.commands.app import main

main()
