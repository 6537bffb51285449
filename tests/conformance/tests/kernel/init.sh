#!/bin/busybox sh
# The only program of a virtual machine: opens the root file system of an encrypted image as the documentation says, and
# prints what is in it. ROOT_HASH and HASH_OFFSET are replaced by the test.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
mkdir -p /run/cryptsetup
for module in loop dm-verity dm-crypt xts ecb libcrc32c erofs; do
    modprobe "$module"
done
veritysetup open /rootfs.img verified /rootfs.img ROOT_HASH --hash-offset=HASH_OFFSET
cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
    --key-file /image.key --readonly /dev/mapper/verified opened
mount -t erofs -o ro /dev/mapper/opened /mnt
echo "kernel: $(uname -r)"
cd /mnt && find . | sort | sed 's/^/found: /'
sha256sum guest | sed 's/^/digest: /'
poweroff -f
