"""The float transformer behind the shipped one, in torch (the extra `torch`): an image's rows are its tokens.

pixels 8x8 -> linear 8-32 + learnt places -> layer norm -> 2 layers of (2 heads of 16, feed-forward 64 with GELU,
normalized after each sum as in BERT) -> mean over the 8 tokens -> linear 32-10
"""

from __future__ import annotations

from typing import Any

import numpy as np

N_TOKENS, WIDTH, N_HEADS, INNER, N_LAYERS, N_CLASSES = 8, 32, 2, 64, 2, 10
BATCH, STEP_SIZE, WEIGHT_DECAY, DROPOUT = 64, 3e-3, 0.05, 0.1


def network(torch: Any) -> Any:
    """The untrained network: pixels (batch, 1, 8, 8), 0 to 1, to logits (batch, 10)."""
    nn = torch.nn

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
            self.up, self.down = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.dropout = nn.Dropout(DROPOUT)

        def forward(self, x: Any) -> Any:
            q, k, v = (self.heads(part(x)) for part in (self.query, self.key, self.value))
            scores = q @ k.transpose(2, 3) * (WIDTH // N_HEADS) ** -0.5
            mixed = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(-1, N_TOKENS, WIDTH)
            x = self.norm1(x + self.dropout(self.out(mixed)))
            return self.norm2(x + self.dropout(self.down(nn.functional.gelu(self.up(x)))))

        def heads(self, x: Any) -> Any:
            return x.reshape(-1, N_TOKENS, N_HEADS, WIDTH // N_HEADS).transpose(1, 2)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Linear(8, WIDTH)
            self.places = nn.Parameter(torch.randn(1, N_TOKENS, WIDTH) * 0.02)
            self.norm = nn.LayerNorm(WIDTH)
            self.layers = nn.ModuleList(Layer() for _ in range(N_LAYERS))
            self.classes = nn.Linear(WIDTH, N_CLASSES)

        def forward(self, pixels: Any) -> Any:
            x = self.norm(self.rows(pixels.reshape(-1, N_TOKENS, 8)) + self.places)
            for layer in self.layers:
                x = layer(x)
            return self.classes(x.mean(dim=1))

    return Network()


def trained(torch: Any, images: np.ndarray, labels: np.ndarray, *, seed: int = 0, n_epochs: int = 120) -> Any:
    """The network after AdamW with a falling step size, on images (0 to 1) shifted by up to one pixel at random.

    The same numbers every time with the same version of torch and one thread.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = network(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=STEP_SIZE, weight_decay=WEIGHT_DECAY)
    n_steps = n_epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, STEP_SIZE, total_steps=n_steps)
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(n_epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            pixels = torch.from_numpy(_shifted(images[chosen], rng).astype(np.float32))
            loss = torch.nn.functional.cross_entropy(model(pixels), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by -1, 0 or 1 pixels both ways, the border filled with background."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    starts = rng.integers(0, 3, (len(images), 2))
    return np.stack([padded[i, :, y : y + 8, x : x + 8] for i, (y, x) in enumerate(starts)])
