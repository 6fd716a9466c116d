"""PyTorch on the processor: tensors and modules as arguments and as results, and operations in place."""

import copy

import numpy as np
import torch
import ways

torch.set_num_threads(1)
SIZES = 100, 1_000_000


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        return self.layers(x)


def double(tensor):
    return tensor.mul_(2)


def add_one(array):
    """Change an array by a tensor that has the same memory."""
    torch.from_numpy(array).add_(1)
    return array


def gradients(net, inputs, wanted):
    loss = torch.nn.functional.mse_loss(net(inputs), wanted)
    loss.backward()
    return [parameter.grad for parameter in net.parameters()], net.calls


def train(net, seed):
    """Return the net after some steps."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(5):
        inputs = torch.randn(32, 8)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(inputs), inputs.sum(dim=1, keepdim=True)).backward()
        optimizer.step()
    return net


def same(value):
    return value


def show(*tensors):
    return ways.digest(*(tensor.detach().numpy() for tensor in tensors))


if __name__ == "__main__":
    with ways.pool() as pool:
        for size in SIZES:
            tensor = torch.arange(size, dtype=torch.float32)
            array = np.arange(size, dtype=np.float64)
            print(show(*pool.map(double, [tensor.clone() for _ in range(3)])))
            print(ways.digest(*pool.map(add_one, [array.copy() for _ in range(3)])))
            print(show(pool.submit(double, tensor.clone()).result().add_(1)))  # and the result can be changed

        torch.manual_seed(0)
        net = Net()
        batches = [(torch.randn(64, 8), torch.randn(64, 1)) for _ in range(4)]
        for parts, calls in pool.map(gradients, [copy.deepcopy(net) for _ in batches], *zip(*batches)):
            print(show(*parts), calls)
        print(show(*pool.submit(train, net, 5).result().state_dict().values()))

        base = torch.arange(12.0).reshape(3, 4)
        odd = [
            base.T, base[:, 1], base.to(torch.bfloat16).float(), torch.tensor(3), torch.empty(0, 2), base > 4,
            base.to(torch.complex64),
        ]  # fmt: skip
        for tensor in pool.map(same, odd):
            print(tensor.dtype, tuple(tensor.shape), tensor.stride(), show(tensor))
        parameter = pool.submit(same, torch.nn.Parameter(base)).result()
        print(type(parameter).__name__, parameter.requires_grad, show(parameter))
        print(list(pool.map(torch.linalg.matrix_norm, [base, base.T])))
        try:
            pool.submit(torch.matmul, base, base).result()
        except RuntimeError as error:
            print(str(error).splitlines()[0])
