"""A fake powercap tree: zones whose counters wrap as the real ones do."""

from pathlib import Path

RANGE_J = 262_143.32885
MICRO = 1_000_000


class PowercapTree:
    """Zone folders under a root; writes replace files at once, as a new inode."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ranges_j: dict[str, float] = {}

    def zone(
        self, folder: str, name: str, energy_j: float = 1.0, range_j: float = RANGE_J
    ) -> Path:
        """Make a zone; its folder is such as `intel-rapl:0:1`."""
        path = self.root / folder
        path.mkdir(parents=True)
        self._ranges_j[folder] = range_j
        self.write(folder, name, file="name")
        self.write(folder, str(round(range_j * MICRO)), file="max_energy_range_uj")
        self.set(folder, energy_j)
        return path

    def set(self, folder: str, energy_j: float) -> None:
        """Let the counter stand at so many joules, beyond its range if need be."""
        range_uj = round(self._ranges_j[folder] * MICRO)
        value_uj = round(energy_j * MICRO)
        self.write(folder, str(value_uj % range_uj if range_uj else value_uj))

    def write(self, folder: str, text: str, file: str = "energy_uj") -> None:
        """Replace a file's content."""
        part = self.root / folder / f".{file}"
        part.write_text(text + "\n")
        part.replace(self.root / folder / file)

    def drop(self, folder: str) -> None:
        """Take a counter away."""
        (self.root / folder / "energy_uj").unlink()
