import math

import pp


def isprime(n):
    return n > 1 and all(n % i for i in range(2, int(math.sqrt(n)) + 1))


def sum_primes(n):
    print("up to", n)
    return sum(x for x in range(2, n) if isprime(x))


def fails():
    raise ValueError("no primes")


class PrimeSum:
    def __init__(self, least):
        self.least = least

    def upto(self, n):
        return sum(x for x in range(self.least, n) if isprime(x))


ppservers = ()
job_server = pp.Server(2, ppservers=ppservers)
job1 = job_server.submit(sum_primes, (100,), (isprime,), ("math",))
print("Sum of primes below 100 is", job1())
jobs = [(n, job_server.submit(sum_primes, (n,), (isprime,), ("math",))) for n in (1000, 1010)]
for n, job in jobs:
    print("Sum of primes below", n, "is", job())
print("Sum of primes from 10 to 100 is", job_server.submit(PrimeSum(10).upto, (100,))())
sums = []
template = pp.Template(
    job_server,
    sum_primes,
    (isprime,),
    callback=lambda name, result: sums.append((name, result)),
    callbackargs=("below",),
    group="small",
)
template.submit(10)
job_server.wait("small")
print(sums, job_server.submit(fails)())
job_server.set_ncpus(1)
print(job_server.get_ncpus(), sorted(job_server.get_active_nodes()), job_server.get_stats()["local"].njobs)
job_server.print_stats()
job_server.destroy()
try:
    job_server.submit(sum_primes, (1,))
except pp.DestroyedServerError as error:
    print(error)
