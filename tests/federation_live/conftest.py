"""The laboratory stands beside the benchmarks, which use it too; plain ``pytest`` does not know the root of both."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
