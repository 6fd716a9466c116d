"""The launched contestant of the figure map_rate."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.map_rate import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, int(sys.argv[1])))
