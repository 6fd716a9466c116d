"""``python -m tests.house``: the figures of the structure; with ``--all``, also the places that they count."""

from __future__ import annotations

import sys

from . import figures, tree


def main() -> None:
    everything = "--all" in sys.argv[1:]
    found = {
        "import circles": [" ".join(group) for group in figures.circles()],
        "objects that hand themselves to their parts": list(figures.held_owners()),
        "modules named in strings": list(figures.named_modules()),
        "members of the Broker that its parts reach for": [*figures.reaches_for_broker()],
        "fields written by other modules": list(figures.foreign_writes()),
        "private names read, product": list(figures.private_reads(tree.modules().values())),
        "private names read, tests": list(figures.private_reads(tree.tests())),
        "class names with two meanings": [f"{name}: {' '.join(at)}" for name, at in figures.double_names().items()],
        "modules without a test file": figures.without_test_file(),
        "classes of 30 attributes and more": sorted(figures.large_classes(30)),
        "modules of more than 425 lines": sorted(figures.long_modules(425)),
        "functions of more than 50 lines": sorted(figures.long_functions(50)),
    }
    for name, places in found.items():
        print(f"{name:<50} {len(places)}")
        if everything:
            print(*(f"    {place}" for place in places), sep="\n")
    for name, sizes in {
        "attributes of the largest class": figures.large_classes(0),
        "lines of the longest module": figures.long_modules(0),
        "lines of the longest function": figures.long_functions(0),
    }.items():
        where = max(sizes, key=sizes.__getitem__)
        print(f"{name:<50} {sizes[where]}  {where}")
    print(f"{'lines of the product':<50} {figures.lines()} in {len(tree.modules())} modules")


if __name__ == "__main__":
    main()
