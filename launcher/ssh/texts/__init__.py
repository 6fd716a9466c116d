"""What fedfutures says to an ssh client and reads from it: commands, and messages of failure. Pure."""
