"""What a log holds: trades of one kind, of one exchange, whose ids count together. Pure."""


def claim_of(kind: str, origin: str, venue: str | None) -> str:
    """What is written down in the log once, in words that a message can use."""
    of = "the simulated market" if origin == "demo" else venue or "an exchange by another address"
    return f"{kind} trades of {of}"
