"""The asyncio machinery that runs rooms. Knows no particular party."""
