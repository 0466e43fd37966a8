"""What is missing between trades, fetched over REST."""
