"""Modules of PyTorch and functions of JAX as people write them, with ways to parametrise attention that differ."""

from contextlib import suppress

import numpy as np

torch = jax = None
with suppress(ImportError):
    import torch
with suppress(ImportError):
    import jax
    import jax.numpy as jnp

SHAPES = [
    # vocabulary, length, heads, width, residual, LayerNorm, network
    (2, 10, 1, 4, False, False, False),
    (3, 6, 2, 6, True, False, False),
    (3, 5, 1, 5, True, True, False),
    (4, 4, 2, 4, False, True, True),
    (2, 7, 3, 6, True, True, True),
]

if torch is not None:

    class Attention(torch.nn.Module):
        """Causal attention with factored matrices."""

        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.query = torch.nn.Linear(width, width, bias=False)
            self.key = torch.nn.Linear(width, width, bias=False)
            self.value = torch.nn.Linear(width, width)

        def forward(self, x):
            count, length, width = x.shape
            query, key, value = (
                part(x).view(count, length, self.heads, -1).transpose(1, 2)
                for part in (self.query, self.key, self.value)
            )
            scores = query @ key.transpose(2, 3) / (width // self.heads) ** 0.5
            future = torch.ones(length, length, dtype=torch.bool).triu(1)
            read = torch.softmax(scores.masked_fill(future, -torch.inf), dim=3) @ value
            return read.transpose(1, 2).reshape(count, length, width)

    class Network(torch.nn.Module):
        """Two layers of attention, embeddings, and log-probabilities at the last position."""

        def __init__(self, vocab, length, heads, width, residual, norm, network):
            super().__init__()
            self.residual = residual
            self.tokens = torch.nn.Embedding(vocab, width)
            self.positions = torch.nn.Parameter(torch.randn(length, width))
            self.layers = torch.nn.ModuleList(Attention(width, heads) for _ in range(2))
            self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width) if norm else torch.nn.Identity() for _ in "12")
            middle = (torch.nn.Linear(width, 2 * width), torch.nn.GELU(), torch.nn.Linear(2 * width, width))
            self.network = torch.nn.Sequential(*middle) if network else torch.nn.Identity()
            self.output = torch.nn.Linear(width, vocab)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.positions
            for layer, norm in zip(self.layers, self.norms, strict=True):
                x = layer(norm(x)) + (x if self.residual else 0.0)
            return torch.log_softmax(self.output(self.network(x[:, -1])), dim=1)

    class Reduced(torch.nn.Module):
        """The reduced transformer, whose logarithms belong to numbers that sum to more than one."""

        def __init__(self, A1, A2, epsilon):
            super().__init__()
            self.A1, self.A2 = (torch.nn.Parameter(torch.tensor(matrix)) for matrix in (A1, A2))
            self.epsilon = epsilon

        def forward(self, tokens):
            symbols = torch.nn.functional.one_hot(tokens, len(self.A2)).to(self.A1.dtype)
            future = torch.ones(self.A1.shape, dtype=torch.bool).triu(1)
            read = torch.softmax(self.A1.masked_fill(future, -torch.inf), dim=1) @ symbols
            logits = (read @ self.A2 * symbols[:, -1:]).sum(dim=2)
            return torch.log((torch.softmax(logits, dim=1)[:, :, None] * symbols).sum(dim=1) + self.epsilon)


def jax_parameters(vocab, length, width, seed):
    """Parameters of :func:`jax_network`, as lists and dictionaries."""
    rng = np.random.default_rng(seed)

    def matrix(*shape):
        return rng.normal(size=shape) / np.sqrt(shape[0])

    layers = [{"qk": (matrix(width, width), matrix(width, width)), "ov": matrix(width, width)} for _ in "12"]
    return {
        "tokens": matrix(vocab, width),
        "positions": matrix(length, width),
        "layers": layers,
        "out": matrix(width, vocab),
    }


def jax_network(parameters, tokens):
    x = parameters["tokens"][tokens] + parameters["positions"]
    future = jnp.triu(jnp.ones((x.shape[1], x.shape[1]), dtype=bool), 1)
    for layer in parameters["layers"]:
        query, key = (x @ one for one in layer["qk"])
        weights = jax.nn.softmax(jnp.where(future, -jnp.inf, query @ key.swapaxes(1, 2)), axis=2)
        x = x + weights @ x @ layer["ov"]
    return jax.nn.log_softmax(x[:, -1] @ parameters["out"], axis=1)
