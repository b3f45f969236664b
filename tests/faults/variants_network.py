"""Correct networks in other forms: their weights stored otherwise, their images prepared otherwise; each must get full marks."""

import copy
from dataclasses import replace as with_

import torch
from faults.catalogue import variant
from faults.world import forget, replace, table, without_scores

from in4310.solution import network
from in4310.solution.loaders import batches

# -- the network ---------------------------------------------------------------------------------------


def weights(folder, state, name="model.pth"):
    (folder / "model.pth").unlink()
    forget(folder, "model")
    torch.save(state, folder / name)


@variant()
def weights_as_safetensors(folder, world):
    from safetensors.torch import save_file

    (folder / "model.pth").unlink()
    forget(folder, "model")
    save_file(
        {k: v.contiguous().clone() for k, v in world.model.state_dict().items()},
        folder / "weights.safetensors",
    )


@variant()
def weights_of_data_parallel(folder, world):
    weights(folder, {f"module.{k}": v for k, v in world.model.state_dict().items()})


@variant()
def weights_in_a_checkpoint(folder, world):
    weights(
        folder,
        {
            "epoch": 20,
            "best_map": 0.9,
            "model_state_dict": world.model.state_dict(),
            "optimizer": {"state": {}},
        },
        "ckpt beste.tar",
    )


@variant()
def weights_inside_a_class_of_their_own(folder, world):
    weights(folder, {f"net.backbone.{k}": v for k, v in world.model.state_dict().items()})


@variant()
def weights_with_names_of_the_courses_own_network(folder, world):
    names = {
        k: k.replace("layer", "stage").replace("downsample", "shortcut") for k in world.model.state_dict()
    }
    weights(folder, {names[k]: v for k, v in world.model.state_dict().items()})


@variant()
def five_checkpoints_of_which_one_gives_the_scores(folder, world):
    weights(folder, world.model.state_dict(), "run_3.pth")
    for i, (state, _) in enumerate(world.epochs[:4]):
        torch.save(state, folder / f"best_model_{i}.pth")


@variant()
def a_checkpoint_with_the_mean_of_its_weights(folder, world):
    state = world.model.state_dict()
    noise = torch.Generator().manual_seed(0)
    raw = {
        n: v + 0.02 * v.std() * torch.randn(v.shape, generator=noise) if v.ndim > 1 else v
        for n, v in state.items()
    }
    weights(folder, {"model": raw, "model_ema": state, "epoch": 20})


@variant()
def classes_numbered_otherwise_and_said_by_name(folder, world):
    order = [5, 3, 1, 0, 2, 4]
    state = dict(world.model.state_dict())
    weights(folder, state | {n: state[n][order] for n in ("fc.weight", "fc.bias")})
    without_scores(folder)
    forget(folder, "scores_val")
    (folder / "scores_val.npy").unlink()
    header = ["path", *(world.classes[i] for i in order)]
    lines = [
        [p, *map(float, row)] for p, row in zip(world.split["test"], world.scores[:, order], strict=True)
    ]
    replace(folder / "scores_test.csv", table(header, *lines))


def halved(folder, world, dtype):
    model = world.loaded("model.pth")
    model.load_state_dict(
        {k: v.to(dtype).to(v.dtype) if v.is_floating_point() else v for k, v in model.state_dict().items()}
    )
    world.rebuild(folder, model=model)
    (folder / "model.pth").unlink()
    torch.save(
        {k: v.to(dtype) if v.is_floating_point() else v for k, v in model.state_dict().items()},
        folder / "model.pth",
    )


@variant()
def weights_in_half_precision(folder, world):
    halved(folder, world, torch.float16)


@variant()
def weights_in_bfloat16(folder, world):
    halved(folder, world, torch.bfloat16)


@variant(edition={"network": {"depths": [18, 34], "start": "any"}})
def a_deeper_network_where_the_edition_allows_it(folder, world):
    model = network.build("resnet34", 6, "none", 3)
    plan = with_(world.plan, architecture="resnet34")
    torch.manual_seed(0)
    untuned = network.build("resnet34", 6, "none", 5)
    (folder / "untuned.pth").unlink()
    torch.save(untuned.state_dict(), folder / "untuned.pth")
    # Batch-norm statistics of an untrained network are 0 and 1; one pass over images gives real ones.
    model.train()
    with torch.no_grad():
        for x, _ in batches(world.images(world.split["train"][:128]), world.plan.preprocessing, 64, "cpu"):
            model(x)
    world.rebuild(folder, model=model.eval(), plan=plan)


@variant()
def an_undertrained_network(folder, world):
    """Six steps of real training: right all through, and far below the threshold, which costs nothing in this edition."""
    torch.manual_seed(8)
    model = copy.deepcopy(world.untuned).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    shown = world.images(world.split["train"][:: len(world.split["train"]) // 192])
    for _ in range(2):
        for x, y in batches(shown, world.plan.preprocessing, 64, "cpu"):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    world.rebuild(folder, model=model.eval())


# -- preprocessing -------------------------------------------------------------------------------------


@variant()
def another_resolution(folder, world):
    world.rebuild(folder, preprocessing=with_(world.plan.preprocessing, size=96, resize=96))


@variant()
def another_normalisation_and_a_crop(folder, world):
    world.rebuild(
        folder,
        preprocessing=with_(world.plan.preprocessing, size=64, resize=72, mean=(0.5,) * 3, std=(0.5,) * 3),
    )


@variant()
def bicubic_resize(folder, world):
    world.rebuild(folder, preprocessing=with_(world.plan.preprocessing, interpolation="bicubic"))


@variant()
def preprocessing_not_stated(folder, world):
    world.unstate(folder, "preprocessing")
