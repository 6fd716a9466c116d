"""The laboratory stands beside the benchmarks, which also use it; plain ``pytest`` does not know the repository's root."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
