"""The launched contestant of the figure small_maps."""

import sys

from benchmarks import faces, isolation
from benchmarks.figures.small_maps import measure

if __name__ == "__main__":
    isolation.report(measure(faces.launched, bool(int(sys.argv[1]))))
