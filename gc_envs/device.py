"""The machine that a run, an evaluation or a benchmark is made on, in words."""

import os
import platform
from pathlib import Path


def describe_device() -> str:
    """Return the device that JAX computes on, and the processor beside it."""
    import jax

    found = jax.devices()[0]
    processor, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), processor)
    return f"{found.platform}: {found.device_kind}; {os.cpu_count()} cores of {processor}"
