"""The production machines under virtual time: thousands of Brokers, or thousands of schedules of faults.

Theory of operation. One :class:`~.clock.Clock` holds every event there is; one seed decides everything that is left
open. Nodes (:mod:`.nodes`, :mod:`.worker`) are shells around ``BrokerMachine`` and ``WorkerMachine``, as thin as those
that have sockets, and pass messages over the links of :mod:`.network`, each encoded and decoded by the codec on its
way. A *figure run* (:mod:`.scenario`) measures a Federation without faults; a *schedule* (:mod:`.schedule`) draws a
small Federation, a workload and a swarm of faults (:mod:`.faults`), and at some time everything heals. :mod:`.laws`
says what must hold, after every event and at the end. The same seed gives the same run, to the last message.
"""
