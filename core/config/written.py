"""Where a configuration was written."""

from dataclasses import dataclass, field

import yaml

from core.config.errors import locate


@dataclass(frozen=True)
class Written:
    """The file `name` and what is in it; none for a configuration made in code. It is no part of what that says."""

    name: str = field(default="", compare=False)
    text: str = field(default="", compare=False, repr=False)

    def place(self, *keys: int | str) -> str:
        """`tidemark.yaml:12: monitors.0.steps.1.use`, as far as the file goes."""
        path, line = locate(yaml.compose(self.text, yaml.SafeLoader), keys)
        return (f"{self.name}:{line}: " if self.name else "") + ".".join(map(str, path if self.name else keys))
