"""The launched contestant of the figure cpu_per_future."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.cpu_per_future import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, int(sys.argv[1])))
