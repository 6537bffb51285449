//! Executable files: elf(5), with the System V ABI's names.

constants! {
    ELFCLASS64: u8 = 2;
    ELFDATA2LSB: u8 = 1;
    EV_CURRENT: u8 = 1;
    ET_EXEC: u16 = 2;
    ET_DYN: u16 = 3;
    EM_X86_64: u16 = 62;
    PT_LOAD: u32 = 1;
    PT_DYNAMIC: u32 = 2;
    PT_INTERP: u32 = 3;
    PF_X: u32 = 1;
    PF_W: u32 = 2;
    PF_R: u32 = 4;
    SHT_SYMTAB: u32 = 2;
    SHT_DYNSYM: u32 = 11;
    STT_FUNC: u8 = 2;
    STT_GNU_IFUNC: u8 = 10;
    DT_NULL: u64 = 0;
    DT_HASH: u64 = 4;
    DT_STRTAB: u64 = 5;
    DT_SYMTAB: u64 = 6;
    DT_STRSZ: u64 = 10;
    DT_SYMENT: u64 = 11;
    DT_SONAME: u64 = 14;
    DT_VERSYM: u64 = 0x6fff_fff0;
    DT_VERDEF: u64 = 0x6fff_fffc;
    DT_VERDEFNUM: u64 = 0x6fff_fffd;
}

/// The beginning of every file that can be loaded: the magic number, for 64 bits, little-endian, version 1.
pub const IDENT: [u8; 7] = [0x7f, b'E', b'L', b'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT];
