"""The arithmetic of trade ids: what is held, what is new, what is missing."""
