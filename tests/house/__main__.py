"""``python -m tests.house``: the figures of the structure; with ``--all``, also the places that they count."""

from __future__ import annotations

import sys

from . import figures, tree


def main() -> None:
    everything = "--all" in sys.argv[1:]
    found = {
        "import circles": [" ".join(group) for group in figures.circles()],
        "modules named in strings": list(figures.named_modules()),
        "members of the Broker that its parts reach for": [*figures.reaches_for_broker()],
        "fields written by other modules": list(figures.foreign_writes()),
        "private names read, product": list(figures.private_reads(tree.modules().values())),
        "private names read, tests": list(figures.private_reads(tree.tests())),
        "class names with two meanings": [f"{name}: {' '.join(at)}" for name, at in figures.double_names().items()],
        "modules without a test file": figures.without_test_file(),
    }
    for name, places in found.items():
        print(f"{name:<50} {len(places)}")
        if everything:
            print(*(f"    {place}" for place in places), sep="\n")
    for name, (count, where) in {
        "attributes of the largest class": figures.largest_class(),
        "lines of the longest module": figures.longest_module(),
        "lines of the longest function": figures.longest_function(),
    }.items():
        print(f"{name:<50} {count}  {where}")
    print(f"{'lines of the product':<50} {figures.lines()} in {len(tree.modules())} modules")


if __name__ == "__main__":
    main()
