"""``python -m fedfutures.compat.scoop``: SCOOP's own command line."""

import sys

from ..members import become
from .command_line import translated

if __name__ == "__main__":
    words, notes = translated(sys.argv[1:])
    for note in notes:
        print(f"fedfutures: {note}", file=sys.stderr)
    become(words)
