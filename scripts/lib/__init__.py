"""The programs behind scripts/: standard library only, so that a bare Python can run them."""
