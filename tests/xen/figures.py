"""What a run has measured, told at its end."""

from collections.abc import Mapping


class Figures:
    """Lines for people."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(line)

    def compare(self, name: str, values: Mapping[str, float]) -> None:
        """One figure of several stores; the last is said in times of the first."""
        numbers = list(values.values())
        row = ", ".join(f"{store} {value:.4g}" for store, value in values.items())
        self.add(f"{name}: {row}; {numbers[-1] / numbers[0]:.2f} times")
