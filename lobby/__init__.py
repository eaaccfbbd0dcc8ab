"""The public REST API: validate, mint ids, make one register call, answer. It has no tables."""
