"""Networks of timm and Hugging Face come without their weights: there is no network behind the walls."""

from __future__ import annotations

import importlib
import types
from typing import Any

from in4310.rehearsal.events import Recorder
from in4310.rehearsal.imports import when_imported

DEPTHS = {"18": [2, 2, 2, 2], "34": [3, 4, 6, 3], "26": [2, 2, 2, 2], "50": [3, 4, 6, 3], "101": [3, 4, 23, 3],
          "152": [3, 8, 36, 3]}  # fmt: skip


def stand_in(see: Recorder) -> None:
    """When they are imported."""

    def timm(module: types.ModuleType) -> None:
        create: Any = module.__dict__["create_model"]

        def created(model_name: str, pretrained: bool = False, *given: Any, **named: Any) -> Any:
            if pretrained:
                see.note("pretrained", what=f"timm's {model_name}")
            return create(model_name, False, *given, **named)

        module.__dict__["create_model"] = created

    def configs(module: types.ModuleType) -> None:
        config: Any = module.__dict__["PretrainedConfig"]
        given = config.get_config_dict.__func__

        def known(cls: Any, name: Any, **named: Any) -> Any:
            depths = next((d for n, d in DEPTHS.items() if str(name).endswith(f"resnet-{n}")), None)
            if depths is None:
                return given(cls, name, **named)
            basic = str(name).endswith(("-18", "-34"))
            sizes = [64, 128, 256, 512] if basic else [256, 512, 1024, 2048]
            return {"model_type": "resnet", "depths": depths, "hidden_sizes": sizes, "num_labels": 1000,
                    "layer_type": "basic" if basic else "bottleneck"}, named  # fmt: skip

        config.get_config_dict = classmethod(known)

    def networks(module: types.ModuleType) -> None:
        network: Any = module.__dict__["PreTrainedModel"]
        given = network.from_pretrained.__func__

        def drawn(cls: Any, name: Any, *rest: Any, **named: Any) -> Any:
            if str(name).count("/") != 1 or str(name).startswith((".", "/")):
                return given(cls, name, *rest, **named)
            see.note("pretrained", what=str(name))
            labels = {k: v for k, v in named.items() if k in ("num_labels", "id2label", "label2id")}
            return cls(named.get("config") or cls.config_class.from_pretrained(name, **labels))

        network.from_pretrained = classmethod(drawn)

    def images(module: types.ModuleType) -> None:
        kind: Any = module.__dict__["AutoImageProcessor"]
        given = kind.from_pretrained.__func__

        def processor(cls: Any, name: Any, *rest: Any, **named: Any) -> Any:
            if not str(name).startswith("microsoft/resnet-"):
                return given(cls, name, *rest, **named)
            made: Any = importlib.import_module("transformers").ConvNextImageProcessor
            return made(crop_pct=0.875, size={"shortest_edge": 224})

        kind.from_pretrained = classmethod(processor)

    when_imported("timm.models._factory", timm)
    when_imported("transformers.configuration_utils", configs)
    when_imported("transformers.modeling_utils", networks)
    when_imported("transformers.models.auto.image_processing_auto", images)
