"""The files of public dumps: their names, headers and columns. Pure."""
