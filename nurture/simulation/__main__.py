"""`python -m nurture.simulation` makes examples/data again, byte for byte."""

import sys
from pathlib import Path

from nurture.runtime.settings import PROJECT
from nurture.simulation.company import write_files

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "examples" / "data"
    for path in write_files(folder):
        print(f"{path.stat().st_size:>9,}  {path}")
