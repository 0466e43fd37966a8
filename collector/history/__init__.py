"""What lies before the first live trade of a symbol, fetched over REST."""
