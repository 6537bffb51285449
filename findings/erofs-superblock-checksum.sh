#!/usr/bin/env bash
# EROFS: the checksum of the superblock.
#
# Guess: the checksum of the feature "sb_csum", which the kernel's documentation calls crc32c, is a CRC-32C
# (RFC 3720, appendix B.4; 0xE3069283 for "123456789").
# True: it is a CRC-32C without the last step: the result is not inverted.
set -euo pipefail

package=erofs-utils
version=1.5-1

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# apt's helper user has to be able to write there.
chmod 755 "$scratch"

cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download "$package=$version"
dpkg-deb --extract "$package"_*.deb root

mkdir tree
echo content > tree/file
root/usr/bin/mkfs.erofs -T 0 -U 00000000-0000-0000-0000-000000000001 image tree > /dev/null
root/usr/bin/fsck.erofs image > /dev/null
echo "$package $version: mkfs.erofs made an image, and fsck.erofs accepts it"

python3 - image <<'PYTHON'
import sys

SUPERBLOCK, BLOCK, CHECKSUM = 1024, 4096, 4


def crc32c(data):
    """CRC-32C, bit by bit, from the polynomial and the steps in the RFC."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283

with open(sys.argv[1], "rb") as image:
    block = bytearray(image.read(BLOCK)[SUPERBLOCK:])
stored = int.from_bytes(block[CHECKSUM : CHECKSUM + 4], "little")
# As for many formats, the checksum counts as zero in what it covers.
block[CHECKSUM : CHECKSUM + 4] = bytes(4)
standard = crc32c(block)
print(f"CRC-32C of the block: {standard:#010x}; inverted: {standard ^ 0xFFFFFFFF:#010x}; stored: {stored:#010x}")
assert stored != standard, "the stored checksum is a CRC-32C now"
assert stored == standard ^ 0xFFFFFFFF, "the stored checksum is something else now"
print("The finding holds.")
PYTHON
