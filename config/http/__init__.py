"""HTTP/1.1 for uvicorn's server, lean where an application is a Service."""
