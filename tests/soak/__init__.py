"""The soak: an ordinary load on hosts of a laboratory while faults of all kinds happen, and a verdict at the end.

``make soak`` as root; ``SOAK_MINUTES`` (10) and ``SOAK_SEED`` (printed) choose how long and which faults.

- ``load.py`` is the program: rounds of short and long calls, large arrays, nested calls, maps, errors, closures and
  cancellations. It knows what each must give.
- ``stage.py`` finds the processes of the run on each host, from outside.
- ``chaos.py`` has the faults, each a function with the rows of the catalogue that it shows.
- ``verdict.py`` compares: the program's own counts, the laws of the journal (``tests/journal.py``), what is left, and
  how long it took until a host had results again.
"""
