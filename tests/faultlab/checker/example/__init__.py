"""Histories to try the checker on: a tiny room that keeps every promise, unless forced not to.

It is a second model beside the replay, for tests of the checker; it knows the product as little.
"""

from tests.faultlab.checker.example.asked import ExampleRoom
from tests.faultlab.checker.example.run import ExampleRun

__all__ = ["ExampleRoom", "ExampleRun"]
