"""The process that keeps the ssh connections to the hosts of a run, and what starts it."""
