"""What is read of `ticks.db`: new trades by `seq`, hours that are still to be taken in."""
