"""The screen of every pair, taken again and again beside the steps."""
