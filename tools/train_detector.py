"""Train the detector of visible labels: ``python tools/train_detector.py -o detector.onnx``.

The detector marks where a picture says that AI made it, and not where it says anything else: text is drawn on the
photographs of the ``tuning`` half of :mod:`benchmarks.realistic_set` (never those of its ``test`` half) and on
screenshots, labels and other words alike, in many fonts, sizes, opacities and plates, and compressed. What is learned
is a fully convolutional network of some 100 000 weights: of a picture whose shortest side is 640 pixels it gives, for
each 4 × 4 pixels, how likely they are the core of a line of such text, and how high that line is.

Needs PyTorch and onnx, which the package itself does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import realistic_set
from tools.detector_pictures import Maker


class Block(nn.Module):  # type: ignore[misc]
    """Depthwise and pointwise convolution, with what came in added where sizes agree."""

    def __init__(self, inside: int, outside: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.same = inside == outside and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(inside, inside, size, stride, size // 2, groups=inside, bias=False),
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.same else self.layers(x)


class Detector(nn.Module):  # type: ignore[misc]
    """(N, 3, H, W) float in 0…255 → (N, 2, H / 4, W / 4): logit of a core; log2 of the line's height, less 4."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(), Block(12, 24, stride=2)
        )
        self.fine = Block(24, 24)
        self.middle = nn.Sequential(Block(24, 56, stride=2), Block(56, 56), Block(56, 56), Block(56, 56))
        self.coarse = nn.Sequential(Block(56, 96, 5, stride=2), *(Block(96, 96, 5) for _ in range(4)))
        self.lift, self.join = nn.Conv2d(96, 56, 1), Block(56, 56)
        self.lift2, self.join2 = nn.Conv2d(56, 24, 1), Block(24, 24)
        self.head = nn.Conv2d(24, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem((x - 127.5) / 64))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.join(middle + functional.interpolate(self.lift(coarse), scale_factor=2.0))
        fine = self.join2(fine + functional.interpolate(self.lift2(middle), scale_factor=2.0))
        return self.head(fine)


class Data(torch.utils.data.IterableDataset):  # type: ignore[misc]
    """The pictures of :class:`Maker`, without end."""

    def __init__(self, grounds: list[Path], pages: list[Path], fonts: Path, seed: int) -> None:
        self.made_of, self.seed = (grounds, pages, fonts), seed

    def __iter__(self) -> Any:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        maker = Maker(*self.made_of, self.seed * 1000 + (info.id if info else 0))
        while True:
            yield maker.make()


def loss_of(out: Tensor, target: Tensor) -> Tensor:
    core, height, weight = target.unbind(1)
    score = out[:, 0]
    each = functional.binary_cross_entropy_with_logits(score, core, reduction="none") * weight
    positive = core * weight
    count = positive.sum().clamp(min=1)
    negative = each * (1 - core)
    hardest = negative.flatten().topk(min(negative.numel(), int(4 * count) + 400)).values
    likely = torch.sigmoid(score) * weight
    dice = 1 - 2 * (likely * core).sum() / (likely.sum() + positive.sum() + 1)
    size = (functional.smooth_l1_loss(out[:, 1], height - 4, reduction="none") * core).sum() / count
    return (each * core).sum() / count + hardest.mean() + dice + 0.5 * size


class Exported(nn.Module):  # type: ignore[misc]
    """(1, H, W, 3) uint8 RGB → (2, H / 4, W / 4): probability of a core; height of the line in pixels."""

    def __init__(self, net: Detector) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x.permute(0, 3, 1, 2).float())[0]
        return torch.stack((torch.sigmoid(out[0]), torch.exp((out[1] + 4) * 0.6931472)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--grounds", type=Path, nargs="*", default=realistic_set.FOLDERS)
    parser.add_argument("--pages", type=Path, nargs="*", default=(), help="folders of screenshots without a label")
    parser.add_argument("--fonts", type=Path, default=realistic_set.FONTS)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=3e-3, help="rate of learning at the beginning")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    grounds = [
        p for name, p in realistic_set.photographs(given.grounds).items() if realistic_set.half(name) == "tuning"
    ]
    pages = [
        p for folder in given.pages for p in sorted(folder.rglob("*.png")) if realistic_set.half(p.stem) == "tuning"
    ]
    pages = random.Random(given.seed).sample([p for p in pages if min(Image.open(p).size) > 200], 250)
    print(len(grounds), "photographs,", len(pages), "screenshots", flush=True)
    torch.manual_seed(given.seed)
    net = Detector()
    print(sum(p.numel() for p in net.parameters()), "weights", flush=True)
    if given.start:
        net.load_state_dict(torch.load(given.start))
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    loader = torch.utils.data.DataLoader(
        Data(grounds, pages, given.fonts, given.seed), given.batch, num_workers=1, prefetch_factor=4
    )
    began, mean = time.monotonic(), 0.0
    for step, (pixels, target) in enumerate(loader):
        done = (time.monotonic() - began) / (60 * given.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = given.rate * min(1, step / 100) * (0.5 + 0.5 * float(np.cos(np.pi * done))) + 1e-5
        optimizer.zero_grad()
        loss = loss_of(net(pixels.float()), target)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        mean += (loss.item() - mean) * max(0.02, 1 / (step + 1))
        if step % 50 == 0:
            print(f"{step:6} {mean:.4f} {time.monotonic() - began:.0f} s", flush=True)
        if step % 500 == 499:
            export(net, given.output)
    export(net, given.output)


def export(net: Detector, path: Path) -> None:
    net.eval()
    torch.save(net.state_dict(), path.with_suffix(".pt"))
    torch.onnx.export(
        Exported(net),
        (torch.zeros(1, 320, 352, 3, dtype=torch.uint8),),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["pixels"],
        output_names=["core"],
        dynamic_axes={"pixels": {1: "h", 2: "w"}, "core": {1: "h4", 2: "w4"}},
    )
    net.train()


if __name__ == "__main__":
    main()
