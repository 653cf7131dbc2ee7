"""Tests, in folders that carry the names of the packages they look at."""
