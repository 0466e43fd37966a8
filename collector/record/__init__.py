"""The raw frames of a capture, kept in a file."""
