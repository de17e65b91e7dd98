"""A client with two addresses, 40 ms from the server: do its calls connect, and what does a lost address cost?

    python bench/addresses.py [--runs 20]

In two network namespaces (Linux, as root). Calls out and in: seconds from active to the first echo. Then calls whose
path loses its local address while another one leads there: seconds for which the echo was missed, and by which address
they had gone. The first address also carries the signalling, so that its loss is that of the socket, too.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.network.roaming import roaming


def row(name: str, seconds: list[float]) -> str:
    return f"{name:34}{median(seconds):8.2f}{max(seconds):8.2f}{len(seconds):6}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    print(f"{'seconds':34}{'median':>8}{'most':>8}{'runs':>6}")
    for keep in (False, True):
        name = "path kept" if keep else "path replaced"
        with roaming(keep=keep) as scene:
            if not keep:
                for way in ("out", "in"):
                    print(row(f"calls {way}, first echo", [scene.call(way) for _ in range(runs)]), flush=True)
            lost = [scene.lose_the_path() for _ in range(runs)]
        print(row(f"address lost, {name}", [each for _, each in lost]), dict(Counter(each for each, _ in lost)))
