"""ResNet-50 as its authors trained it in Caffe: the stride of a stage lies in its first 1 x 1."""

from torch import nn
from torchvision import models

NORM_EPSILON = 1e-3  # of the batch norms in Keras' copy of the weights


def resnet50() -> nn.Module:
    """Make the network, untrained, with torchvision's names; torchvision strides the 3 x 3."""
    network = models.resnet50(weights=None)
    for stage in (network.layer2, network.layer3, network.layer4):
        block = stage[0]
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = NORM_EPSILON
    return network
