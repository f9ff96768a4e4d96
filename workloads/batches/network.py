"""Networks: of images, more images in every layer; of transformers' shapes, more sequences.

Convolutions share their weights among all images, so that they are loaded once a tile, not once an image. In attention
each sequence has its own keys: such networks are built anew, with more sequences, by their name.
"""

from __future__ import annotations

from dataclasses import replace

from designs.errors import InputError
from workloads.builders import training, transformers
from workloads.kinds import network
from workloads.kinds.network import Network, network_of
from workloads.layer import Layer, Place
from workloads.vector_layer import Job


def batch(workload: Network, n: int, name: str) -> Network:
    """`n` inferences; InputError where products have activations on both sides and no name tells which."""
    named = transformers.more_sequences(workload.name, n)
    if named is not None and workload.graph is None:
        found = network.load(named)
        assert found is not None
        return replace(found, name=name)
    if workload.graph is None and (transformers.build(workload.name) or training.build(workload.name)):
        raise InputError(
            f"{workload.name}: wanted a network that can be batched, got products of two activations each; "
            "take batches of 1, or a transformer's phase"
        )
    return network_of([_more_images(workload.name, job, n) for job in workload.layers], name)


def _more_images(name: str, job: Job, n: int) -> Job:
    if not isinstance(job, Layer) or job.weights_from:
        raise InputError(
            f"{name}: {job.name}: wanted layers whose weights are constants, got attention, where each sequence has "
            "its own; take batches of 1"
        )
    in_place, out_place = (_more_stored(place, n) for place in (job.in_place, job.out_place))
    return replace(job, n_images=n * job.n_images, in_place=in_place, out_place=out_place)


def _more_stored(place: Place | None, n: int) -> Place | None:
    """The same part of a stored tensor of more images, image by image of the batch: the first image scales too."""
    return None if place is None else replace(place, n_images=n * place.n_images, image=n * place.image)
