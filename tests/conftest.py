"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says more about the machine than about the code. The same examples
# everywhere, so that a change that passed here passes there; `--hypothesis-profile search` looks
# for new ones.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("same")
