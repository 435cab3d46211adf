"""Named training augmentations; every draw is a function of (seed, sample number).

A policy has up to two stages, put where its source puts them: a crop of the whole picture before
it is resized, and a retouch of the resized picture before the letterbox' black bars are added, so
the bars stay black. A resumed run sees the pictures that the undisturbed one would have seen,
whatever the parallelism. (S1: Wang et al., GE2E and ArcFace retrieval; S2: Samala and Jiang,
Inception recognition; S4: Patel et al., recognition by triplets. S3 states none.)

===============  ================================================================================
none             the picture as evaluation and export see it
flip             half of the pictures mirrored, nothing else
flip_jitter      for networks trained from scratch: a crop of 40-100 % of the area, flip, mild
                 jitter of brightness, contrast and saturation
resized_crop     torchvision's RandomResizedCrop of the whole picture, flip: the usual one
s1               flip; shift of HSV value by -60..+61 in 4 of 5 pictures; Gaussian noise of sigma 5
                 in every other one
s1_opencv        the same draws, with the rounding of OpenCV's 8-bit HSV
s1_validation    what S1 validates with: flip; shift by -40..+41 in 3 of 4; no noise
s2               flip, then exactly one of torchvision's RandomResizedCrop, ColorJitter(0.2, 0.2,
                 0.2, 0.2), RandomAffine(15, (0.2, 0.2), (0.8, 1.2), 15), each on the resized
                 picture
s4               shifts, zoom, rotation, shear and brightness of Keras' ImageDataGenerator on every
                 picture, no flip; magnitudes ours
rand_augment     N changes out of 14 at magnitude M of 10 (Cubuk et al., 2019); rand_augment:N:M,
                 2:9 if not given (torchvision's default is about 2:3)
trivial_augment  one of them at any magnitude (Mueller and Hutter, 2021, the wide range)
random_erasing   noise in a box of 2-40 % of the area (Zhong et al., 2017); random_erasing:P, the
                 share of pictures, 0.5 if not given
cutout           a mean-coloured square (DeVries and Taylor, 2017); cutout:L, its side as a part of
                 the shorter side, 0.5 if not given
===============  ================================================================================

Policies joined by "+" follow one another, such as "resized_crop+rand_augment:2:5+random_erasing".
Changes that mix the pictures of a batch are in `landmarks_tf.data.mixing`.
"""

from landmarks_tf.data.augment.apply import decode, finish, prepare
from landmarks_tf.data.augment.crops import random_resized_crop
from landmarks_tf.data.augment.policies import POLICIES, Stages, stages

__all__ = ["POLICIES", "Stages", "decode", "finish", "prepare", "random_resized_crop", "stages"]
