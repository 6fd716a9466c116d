"""Main and Meta sockets: the only package that imports zmq."""
