"""The launched contestant of the figure round_trip."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.round_trip import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, int(sys.argv[1])))
