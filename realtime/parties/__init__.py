"""Room types. Each knows only the core and the contracts."""
