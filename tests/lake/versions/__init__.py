"""The schema of every version that was ever released, as SQL that makes it."""
