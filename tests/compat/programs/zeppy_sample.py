import zeppy
from zeppy import ppipes


def runfunction(idf):
    return ppipes.waitsome(idf / 100)


def fails(value):
    return 1 / value


if __name__ == "__main__":
    args_list = {"args": [1, 2, 3]}
    print(zeppy.zmq_parallelpipe(runfunction, args_list, nworkers=None))
    print(ppipes.ipc_parallelpipe(fails, [4, 0, (2,)], nworkers=2))
    print(ppipes.ipc_parallelpipe(ppipes.wait_add_mult, [{"args": (0.25,), "kwargs": {"mult": 2}}, {"args": (0, 0.5)}]))
