"""Back-up of a lake, while its services write it.

`files` copies Parquet, `databases` takes a copy of each database as it is at one moment, and `run`
puts these in an order in which nothing that rolls meanwhile is lost.
"""
