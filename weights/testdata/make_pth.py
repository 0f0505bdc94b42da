"""Writes the .pth files of this folder and what is in them. Needs PyTorch; made with 1.13.1.

    python3 make_pth.py
"""
import json
import os
from collections import OrderedDict

import torch

here = os.path.dirname(os.path.abspath(__file__))
base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8 - 1

state = OrderedDict()
state["plain"] = base.clone()
state["transposed"] = base.clone().permute(2, 0, 1)  # strides 1, 12, 4
state["shared.rows"] = base[1]  # the same storage at an offset
state["shared.step"] = base[:, :, ::2]  # and with gaps
state["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.25]))
state["scalar"] = torch.tensor(3.5)
state["num_batches_tracked"] = torch.tensor(7)
state["half"] = torch.tensor([1.5, 65504, 2**-24], dtype=torch.float16)
state["bfloat"] = torch.tensor([1.5, -3.0, 1e30], dtype=torch.bfloat16)
state["double"] = torch.tensor([0.1, -2.0], dtype=torch.float64)
state["bytes"] = torch.tensor([0, 255], dtype=torch.uint8)
state["flags"] = torch.tensor([True, False])
state["empty"] = torch.zeros(0, 3)
channels_last = torch.arange(16, dtype=torch.float32).reshape(1, 2, 2, 4)
state["channels_last"] = channels_last.to(memory_format=torch.channels_last)

torch.save(state, os.path.join(here, "state.pth"))
torch.save(state, os.path.join(here, "legacy.pth"), _use_new_zipfile_serialization=False)
expected = {k: {"shape": list(v.shape), "values": v.detach().float().flatten().tolist()} for k, v in state.items()}
with open(os.path.join(here, "state.json"), "w") as f:
    json.dump(expected, f, indent=None, separators=(",", ":"))
    f.write("\n")

model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.ones(1, 1, 5, 5)).sum().backward()
optimizer.step()
checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.25, "done": False}
torch.save(checkpoint, os.path.join(here, "checkpoint.pth"))
torch.save(checkpoint, os.path.join(here, "checkpoint-legacy.pth"), _use_new_zipfile_serialization=False)
torch.save(model, os.path.join(here, "whole-model.pth"))
torch.jit.script(torch.nn.ReLU()).save(os.path.join(here, "script.pth"))
