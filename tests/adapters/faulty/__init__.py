"""Kinds of targets with a fault each, which the tests of every kind find (`test_kit.py`)."""
