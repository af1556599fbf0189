"""What must not be written is masked here, before the first byte is: one file for each action, a line in ACTIONS."""

from collections.abc import Mapping

from collectors.masking import constant, drop, keyed_hash, pattern, truncate
from collectors.masking.action import Make

# By the word that a rule's `do` has for it.
ACTIONS: Mapping[str, Make] = {
    "constant": constant.make,
    "drop": drop.make,
    "hash": keyed_hash.make,
    "pattern": pattern.make,
    "truncate": truncate.make,
}
