#!/usr/bin/env bash
# glibc: where the frame description of __restore_rt starts. A signal handler returns to this function.
#
# Guess: a frame description (FDE) in .eh_frame covers its function from the first byte to the last, so the
# descriptions tell a disassembler where functions start (System V ABI for x86-64; LSB Core, 10.6.1).
# True: the description of __restore_rt starts one byte early, inside the padding before it. Unwinders look up
# the return address minus one, and for a signal frame that is the byte before the function.
set -euo pipefail

package=libc6
version=2.36-9+deb12u14

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"

cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download "$package:amd64=$version"
dpkg-deb --extract "$package"_*.deb root
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: pyelftools==0.32

venv/bin/python - root/lib/x86_64-linux-gnu/libc.so.6 "$package $version" <<'PYTHON'
import sys

from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

# mov $15, %rax; syscall: rt_sigreturn. The function is nothing else.
SIGNAL_RETURN = bytes.fromhex("48c7c00f0000000f05")

print(sys.argv[2])
with open(sys.argv[1], "rb") as file:
    elf = ELFFile(file)
    text = elf.get_section_by_name(".text")
    code, base = text.data(), text["sh_addr"]
    function = base + code.index(SIGNAL_RETURN)
    assert code.count(SIGNAL_RETURN) == 1, "there is more than one such function"
    # "S" in the augmentation marks a signal frame.
    frames = [
        entry
        for entry in elf.get_dwarf_info().EH_CFI_entries()
        if isinstance(entry, FDE) and b"S" in entry.cie.augmentation_bytes + entry.cie["augmentation"]
    ]

assert len(frames) == 1, "there is more than one signal frame"
start = frames[0]["initial_location"]
end = start + frames[0]["address_range"]
print(f"the function starts at {function:#x}; its description covers {start:#x} to {end:#x}")
assert start == function - 1, "the description starts elsewhere now"
assert end == function + len(SIGNAL_RETURN), "the description ends elsewhere now"
print("The finding holds.")
PYTHON
