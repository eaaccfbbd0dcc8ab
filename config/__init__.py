"""How Greenroom is put together: environment, Django's settings, an entry point per tier."""
