"""Django's PostgreSQL, with sessions that are refused when they are not as asked."""
