"""The process of a Broker: sockets, clock and files around the rules of :mod:`fedfutures.broker`."""
