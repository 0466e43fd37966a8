"""The documents, and what makes parts of them out of the code."""
