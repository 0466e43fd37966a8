"""The maths, and nothing else: arrays and frames in, numbers out. Pure.

Everything that computes (the analytics job, the CSV command, notebooks) calls these functions; none
of them knows a lake, settings or a clock.
"""
