"""Commands of manage.py, by name."""
