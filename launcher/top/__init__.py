"""``fedfutures top``: a run on a terminal, refreshed every second; drawn by textual."""
