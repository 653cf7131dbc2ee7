"""What all tests share: hypothesis without deadlines, which fail on a busy machine and say nothing about the code."""

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
