"""The checker: reads what concurrent clients and storage saw of a run, and says what was broken.

It knows the wire and the tables, and imports nothing of the product, whose mistakes it would share.
"""
