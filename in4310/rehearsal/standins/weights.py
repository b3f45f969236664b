"""Weights from the net are random ones of the same shape: there is no network behind the walls."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch
import torch.utils.model_zoo
import torchvision
from torchvision.models._api import WeightsEnum

from in4310.rehearsal.events import Recorder

PUBLISHED = re.compile(
    r"\b((?:wide_)?resnet\d{2,3}(?:_2)?)-[0-9a-f]{8}\.pth"
)  # as torchvision names its files


def stand_in(see: Recorder) -> None:
    """Drawn for a network of the same name, always alike; it is noted which were asked for."""

    def network(name: str) -> Any:
        with see.quiet(), torch.random.fork_rng([]):
            torch.manual_seed(0)
            return torchvision.models.get_model(name, weights=None)

    def drawn(self: Any, *_: Any, **__: Any) -> Any:
        see.note("pretrained", what=str(self))
        return network(type(self).__name__.removesuffix("_Weights").lower()).state_dict()

    WeightsEnum.get_state_dict = drawn

    def refused(*given: Any, **_: Any) -> Any:
        raise OSError("a rehearsal has no network; keep what you need from the net beside your program")

    def of_url(url: str, *_: Any, **__: Any) -> Any:
        if (named := PUBLISHED.search(str(url))) is None:
            return refused()
        see.note("pretrained", what=named[0])
        return network(named[1]).state_dict()

    def of_hub(repository: str, model: str, *_: Any, **named: Any) -> Any:
        if "vision" not in repository:
            refused()
        if named.get("pretrained") or named.get("weights"):
            see.note("pretrained", what=f"torch.hub's {model}")
        return network(model)

    torch.hub.load_state_dict_from_url = torch.utils.model_zoo.load_url = of_url
    setattr(torch.hub, "load", of_hub)  # noqa: B010 -- with fewer arguments than its own
    torch.hub.download_url_to_file = refused
    load = torch.load

    def loaded(f: Any, *given: Any, **named: Any) -> Any:
        absent = isinstance(f, str | os.PathLike) and not Path(f).exists()
        published = PUBLISHED.search(str(f)) if absent else None
        return load(f, *given, **named) if published is None else of_url(published[0])

    torch.load = loaded
