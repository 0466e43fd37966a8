"""Back-ups of a lake."""
