"""The production machines under virtual time: thousands of Brokers, or thousands of schedules of faults.

Theory of operation. A :class:`~.world.World` has one :class:`~.clock.Clock`, which holds every event there is, and one
seed, which decides everything that is left open. Nodes (:mod:`.broker`, :mod:`.worker`, :mod:`.origin`) are shells
around ``BrokerMachine``, ``WorkerMachine`` and ``Workload``, as thin as those that have sockets. They pass messages
over the links of :mod:`.network`, and tell the :mod:`.observer` what
they do; who listens there they do not know. A :mod:`.system` is a Federation of them, with what host processes do.

Above that are two kinds of runs. A *figure run* (:mod:`.scenario`) measures a Federation without faults. A *schedule*
(:mod:`.schedule`) draws a small Federation, its programs, and a swarm of faults, which :mod:`.nemesis` lets befall it
until everything heals. :mod:`.checker` holds both to the :mod:`.laws`. The same seed gives the same run, to the last
message.
"""
