"""All fuzz targets, by name."""

from tests.fuzz import blocks, octets, programs, stored
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for module in (octets, programs, blocks, stored) for target in module.TARGETS
}
