from mpi4py.futures import MPICommExecutor, MPIPoolExecutor, as_completed


def julia(x, y=0):
    return (x * x + y) % 97


if __name__ == "__main__":
    with MPIPoolExecutor(2, main=False, use_pkl5=True) as executor:
        executor.bootup()
        print(executor.num_workers, list(executor.map(julia, range(5), range(5))))
        print(sorted(executor.map(julia, range(5), unordered=True)), list(executor.starmap(julia, [(1, 2), (3, 4)])))
        print(sorted(future.result() for future in as_completed([executor.submit(julia, i, y=1) for i in range(3)])))
    with MPICommExecutor(None, root=0) as executor:
        if executor is not None:
            print(list(executor.map(julia, [7], chunksize=4)))
