"""The analytics job: new trades into bars, pair analytics and alert events."""
