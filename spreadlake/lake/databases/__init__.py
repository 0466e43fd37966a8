"""The SQLite databases of a lake: their tables, connections, errors and write-ahead logs."""
