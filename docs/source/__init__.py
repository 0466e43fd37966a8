"""Makes the tables of the reference and the picture of the architecture: `make docs`."""
