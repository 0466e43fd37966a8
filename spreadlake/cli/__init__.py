"""The `spreadlake` command."""
