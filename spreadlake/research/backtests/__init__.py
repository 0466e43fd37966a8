"""Back-tests on the bars of a lake: a pair, a grid of settings, the pairs that screens choose."""
