"""The collector: live trades into the lake, none lost."""
