"""Pure rules: no async, no Django, no clock, no chance, no I/O."""
