"""Greenroom's benchmarks: real servers, real clients, and what they ran on. See README.md."""

JOINS = 3  # of every room that is created
