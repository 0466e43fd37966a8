"""Alert events: the state machine over new rows, and again over changed ones."""
