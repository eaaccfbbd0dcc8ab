"""The wire: everything the lobby and the realtime service must agree on, and nothing else."""
