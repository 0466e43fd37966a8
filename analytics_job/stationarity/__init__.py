"""The slow statistics of a pair: what falls due, and computing it beside the steps."""
