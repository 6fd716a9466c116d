"""``pytest --fed 8``: the tests of a suite run in Workers, and are reported as by one process.

The process of the command line collects and reports (:mod:`.distribution`). It hands out the tests in portions
(:mod:`.lanes`), each of them a Future. In a Worker the portion goes to a pytest process that stays from one portion to
the next (:mod:`.suite_process`, :mod:`.suite_session`), so that fixtures of a session are made once. That is a process
of its own since tests may do what a Worker must not: end, be interrupted, close its descriptors, change its locks.
"""
