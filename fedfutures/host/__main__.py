"""``python -m fedfutures.host``: what a launcher starts on each host."""

from .process import main

if __name__ == "__main__":
    main()
