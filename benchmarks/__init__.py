"""Greenroom's benchmarks: real servers, real clients, and what they ran on. See README.md."""

CLIENT_COUNT = 32
JOINS = 3  # of every room that is created
