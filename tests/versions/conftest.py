"""Lets the files of this folder import each other: pytest's importlib mode leaves the path alone."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
