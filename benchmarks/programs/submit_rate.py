"""The launched contestant of the figure submit_rate."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.submit_rate import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, int(sys.argv[1])))
