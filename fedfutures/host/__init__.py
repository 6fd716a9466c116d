"""The host process: forks the Broker and the Workers of a host, watches them, restarts them, ends them all."""
