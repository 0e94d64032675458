"""The papers' augmentation, batched on the device."""

POLICIES = ("none", "crop-flip", "cifar10", "cifar100", "resized-crop")


def apply(policy, images, generator):
    """Augment a batch."""
    if policy == "none":
        return images
    raise NotImplementedError(policy)
