"""The room service: the authority of every room."""
