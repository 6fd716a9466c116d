"""``fedfutures page``: a run in a browser; served by Starlette on uvicorn, in a process of its own."""
