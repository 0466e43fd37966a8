"""How fast it is, as ratios within one run: the machines are too noisy for times."""
