# SPDX-License-Identifier: Apache-2.0
"""Figures made from a result of the load tool."""

NONE = {"count": 0, "per_second": 0.0, "p50_ms": 0.0, "p99_ms": 0.0, "p99_9_ms": 0.0, "max_ms": 0.0}


def done(result, op="checkout"):
    """What the load tool says of one operation; zeroes where none was answered."""
    return result.get(op, NONE)


def cpu_us(result, op="checkout"):
    """The broker's CPU time for one operation, in microseconds."""
    return result["cpu_seconds"] / max(1, done(result, op)["count"]) * 1e6


def slope(points):
    """Least squares: by how much y grows when x grows by one. 0 for fewer than two points."""
    n = len(points)
    mean_x, mean_y = (sum(axis) / max(1, n) for axis in zip(*points)) if points else (0, 0)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
