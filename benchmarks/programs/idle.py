"""The launched contestant of the figure start that says what its idle Workers weigh."""

from benchmarks import faces, isolation
from benchmarks.figures.start import measure_idle

if __name__ == "__main__":
    isolation.report(measure_idle(faces.launched))
