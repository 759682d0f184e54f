"""All fuzz targets, by name."""

from tests.fuzz import blocks, octets, programs
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for module in (octets, programs, blocks) for target in module.TARGETS
}
