"""Who is timed. Each function prepares one trainer, and returns a function that runs one epoch.

All take (workload, x, y, threads) and start from the same random weights. What they return trains
for one epoch over x and y, in a new order, and returns the network's parameters so far as a list
W^1, b^1, W^2, .. of arrays shaped as in the book, so that `run` can compare what was learned; or
None, where nothing comparable is learned.
"""

import numpy as np

ACTIVATIONS = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0)}


def weights(workload, seed=0):
    """The weights that every competitor starts from: W^l (n_l, n_{l-1}), b^l (n_l, 1)."""
    from companion.network import Network

    start = Network(workload.sizes).initial(rng=np.random.default_rng(seed), dtype=np.float32)
    return start.W[1:], start.b[1:]


def order(rng, n):
    """The examples in a new order; all competitors draw it alike."""
    return rng.permutation(n)


def companion(workload, x, y, threads):
    """This book's trainer."""
    from companion.network import Network, Parameters
    from companion.train import train

    network = Network(workload.sizes, workload.activations, workload.cost)
    records = train(
        network, Parameters.of(*weights(workload)), (x, y), epochs=10**6, batch=workload.batch,
        eta=workload.eta, rng=np.random.default_rng(0), measure=False, threads=threads,
    )  # fmt: skip

    def epoch():
        named = next(records).parameters.named()
        return list(named.values())

    return epoch


def floor(workload, x, y, threads, bare=False):
    """The matrix products alone, into arrays made beforehand: what no NumPy trainer can beat."""
    from threadpoolctl import threadpool_limits

    from companion.network import Parameters

    threadpool_limits(threads)
    m, L = workload.batch, len(workload.sizes) - 1
    theta = Parameters.of(*weights(workload))
    step, W = theta * 0.0, theta.W
    images = x[:m].copy()
    a = [images.T] + [np.zeros((n, m), np.float32) for n in workload.sizes[1:]]
    delta = [None] + [np.zeros_like(array) for array in a[1:]]
    rows = order(np.random.default_rng(0), len(x))

    def epoch():
        for start in range(0, len(x) - m + 1, m):
            if bare:
                x.take(rows[start : start + m], axis=0, out=images, mode="clip")
            for l in range(1, L + 1):
                np.dot(W[l], a[l - 1], out=a[l])
            for l in range(L, 1, -1):
                np.dot(W[l].T, delta[l], out=delta[l - 1])
            for l in range(1, L + 1):
                np.dot(delta[l], a[l - 1].T, out=step.W[l])
            if bare:
                theta.vector -= step.vector

    return epoch


def bare(workload, x, y, threads):
    """The floor, a minibatch fetched for each step, and the step taken: nothing is learned yet."""
    return floor(workload, x, y, threads, bare=True)


def loop(workload, x, y, threads):
    """One example at a time: how most people meet the algorithm."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    if workload.cost != "quadratic":
        raise ValueError("the loop is written for the quadratic cost")
    W, b = ([array.copy() for array in arrays] for arrays in weights(workload))
    rng = np.random.default_rng(0)

    def gradient(column, target):
        a, layers = [column], range(len(W))
        for l in layers:
            a.append(1 / (1 + np.exp(-(W[l] @ a[-1] + b[l]))))
        dW, db = [None] * len(W), [None] * len(W)
        delta = (a[-1] - target) * a[-1] * (1 - a[-1])
        for l in reversed(layers):
            dW[l], db[l] = delta @ a[l].T, delta
            delta = (W[l].T @ delta) * a[l] * (1 - a[l])
        return dW, db

    def epoch():
        shuffled = order(rng, len(x))
        for start in range(0, len(x), workload.batch):
            rows = shuffled[start : start + workload.batch]
            sum_W, sum_b = [np.zeros_like(w) for w in W], [np.zeros_like(c) for c in b]
            for i in rows:
                dW, db = gradient(x[i][:, None], y[i][:, None])
                for l in range(len(W)):
                    sum_W[l] += dW[l]
                    sum_b[l] += db[l]
            for l in range(len(W)):
                W[l] -= workload.eta / len(rows) * sum_W[l]
                b[l] -= workload.eta / len(rows) * sum_b[l]
        return [array for pair in zip(W, b, strict=True) for array in pair]

    return epoch


def pytorch(workload, x, y, threads):
    """PyTorch, eager, its own layers and optimizer, minibatches by indexing tensors."""
    import torch

    torch.set_num_threads(threads)
    layers = []
    for l, (w, c) in enumerate(zip(*weights(workload), strict=True), 1):
        linear = torch.nn.Linear(w.shape[1], w.shape[0])
        linear.weight.data, linear.bias.data = torch.tensor(w), torch.tensor(c[:, 0])
        layers.append(linear)
        kind = workload.hidden if l < len(workload.sizes) - 1 else workload.output
        if kind != "softmax":  # CrossEntropyLoss holds the softmax
            layers.append({"sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU}[kind]())
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=workload.eta, fused=True)
    tx, rng = torch.tensor(x), np.random.default_rng(0)
    if workload.cost == "quadratic":
        ty = torch.tensor(y)
        mse = torch.nn.MSELoss(reduction="sum")

        def cost(a, t):
            return mse(a, t) / (2 * len(t))

    else:
        ty, cost = torch.from_numpy(y.argmax(axis=1)), torch.nn.CrossEntropyLoss()

    def epoch():
        for rows in torch.from_numpy(order(rng, len(x))).split(workload.batch):
            optimizer.zero_grad()
            cost(model(tx.index_select(0, rows)), ty.index_select(0, rows)).backward()
            optimizer.step()
        shaped = [p if p.ndim == 2 else p[:, None] for p in model.parameters()]
        return [p.detach().numpy() for p in shaped]

    return epoch


def jax(workload, x, y, threads, copy=False):
    """JAX, one epoch compiled into a single scan, which picks each minibatch from the data."""
    import os

    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    import jax
    import jax.numpy as jnp

    sigma = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "softmax": lambda z: z}
    L, m = len(workload.sizes) - 1, workload.batch

    def cost(parameters, a, t):
        for l, (w, c) in enumerate(parameters, 1):
            a = sigma[workload.hidden if l < L else workload.output](a @ w.T + c)
        if workload.cost == "quadratic":
            return ((a - t) ** 2).sum() / (2 * len(t))
        return -(t * jax.nn.log_softmax(a)).sum() / len(t)

    def step(parameters, batch):
        rows, images, targets = batch if copy else (batch, dx[batch], dy[batch])
        gradient = jax.grad(cost)(parameters, images, targets)
        return jax.tree.map(lambda p, g: p - workload.eta * g, parameters, gradient), None

    @jax.jit
    def steps(parameters, rows):
        batches = (rows, dx[rows], dy[rows]) if copy else rows
        return jax.lax.scan(step, parameters, batches)[0]

    dx, dy, rng = jnp.asarray(x), jnp.asarray(y), np.random.default_rng(0)
    state = [
        (jnp.asarray(w), jnp.asarray(c[:, 0])) for w, c in zip(*weights(workload), strict=True)
    ]
    full = len(x) // m * m

    def epoch():
        nonlocal state
        shuffled = order(rng, len(x))
        state = steps(state, shuffled[:full].reshape(-1, m))
        if full < len(x):
            state = steps(state, shuffled[None, full:])
        jax.block_until_ready(state)
        return [np.asarray(p if p.ndim == 2 else p[:, None]) for pair in state for p in pair]

    return epoch


def jax_copy(workload, x, y, threads):
    """JAX, one epoch compiled into a single scan over a shuffled copy of the data."""
    return jax(workload, x, y, threads, copy=True)


def sklearn(workload, x, y, threads):
    """scikit-learn's MLPClassifier, plain descent; it measures the cost of every step."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    same_cost = workload.cost == "softmax_cross_entropy"
    model = MLPClassifier(
        workload.sizes[1:-1], activation={"sigmoid": "logistic"}.get(workload.hidden, "relu"),
        solver="sgd", batch_size=workload.batch, alpha=0, momentum=0, shuffle=True, random_state=0,
        learning_rate_init=workload.eta if same_cost else 0.5,
    )  # fmt: skip
    labels, classes = y.argmax(axis=1), np.arange(10)
    model.partial_fit(x[: workload.batch], labels[: workload.batch], classes=classes)
    for own, (w, c) in zip(
        zip(model.coefs_, model.intercepts_, strict=True), zip(*weights(workload), strict=True),
        strict=True,
    ):  # fmt: skip
        own[0][...], own[1][...] = w.T, c[:, 0]

    def epoch():
        with threadpool_limits(threads):
            model.partial_fit(x, labels)  # in an order of its own, so its weights do not compare

    return epoch


COMPETITORS = {
    f.__name__: f for f in (floor, bare, companion, jax, jax_copy, pytorch, sklearn, loop)
}
NEEDS = {
    "jax": "jax",
    "jax_copy": "jax",
    "pytorch": "torch",
    "sklearn": "sklearn",
}  # competitor: module
