"""What a lake has of each symbol, from when to when, what is missing and why."""
