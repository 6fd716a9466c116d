"""The launched contestant of the figure nested."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.nested import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, int(sys.argv[1]), int(sys.argv[2])))
