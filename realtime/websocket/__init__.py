"""WebSocket as a server of ours speaks it: frames in, frames out, on uvicorn."""
