"""The same bytes to our reader of frames and to others: they agree, or it is known why not."""
