"""Where in a commit the process of `doomed_realtime` dies."""

DOOM = "FAULTLAB_DOOM"  # the environment variable that names the file it dies by
BEFORE = "before"  # the commit is about to be handed to storage
INSIDE = "inside"  # the statement is under way
AFTER = "after"  # it is kept, and nobody knows
ANSWERED = "answered"  # who asked knows, and nobody else was told
