//! Writes the smallest ELF files that the scanner reads: one executable segment, one of data, function symbols.

use iced_x86::code_asm::CodeAssembler;

/// Address and file offset of the machine code.
pub const CODE: u64 = 0x40_1000;
pub const CODE_OFFSET: u64 = 0x1000;
/// Address of the data.
pub const DATA: u64 = 0x50_0000;

/// An ELF file in the making.
#[derive(Default)]
pub struct ElfFile {
    pub code: Vec<u8>,
    pub data: Vec<u8>,
    /// Offset in the code and size of functions.
    pub functions: Vec<(u64, u64)>,
    /// Offset in the code of the entry point.
    pub entry: u64,
}

impl ElfFile {
    /// One function with a symbol, and nothing else.
    pub fn function(write: impl FnOnce(&mut CodeAssembler)) -> Self {
        let mut file = Self::default();
        file.add_function(write);
        file
    }

    /// Appends a function with a symbol.
    pub fn add_function(&mut self, write: impl FnOnce(&mut CodeAssembler)) {
        let start = self.code.len() as u64;
        self.add_code(write);
        self.functions.push((start, self.code.len() as u64 - start));
    }

    /// Appends code without a symbol.
    pub fn add_code(&mut self, write: impl FnOnce(&mut CodeAssembler)) {
        let mut assembler = CodeAssembler::new(64).unwrap();
        write(&mut assembler);
        let at = CODE + self.code.len() as u64;
        self.code.extend(assembler.assemble(at).unwrap());
    }

    pub fn bytes(&self) -> Vec<u8> {
        let code_end = CODE_OFFSET + self.code.len() as u64;
        let data_offset = code_end.next_multiple_of(0x1000);
        let symbols_offset = data_offset + self.data.len() as u64;
        let symbols_len = 24 * (1 + self.functions.len() as u64);
        let names_offset = symbols_offset + symbols_len;
        let names = b"\0.text\0.symtab\0";
        let sections_offset = (names_offset + names.len() as u64).next_multiple_of(8);

        let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        put(&mut out, 2, &[2, 62]);
        put(&mut out, 4, &[1]);
        put(&mut out, 8, &[CODE + self.entry, 64, sections_offset]);
        put(&mut out, 4, &[0]);
        put(&mut out, 2, &[64, 56, 2, 64, 4, 3]);
        for (flags, offset, addr, len) in [
            (5, CODE_OFFSET, CODE, self.code.len()),
            (6, data_offset, DATA, self.data.len()),
        ] {
            put(&mut out, 4, &[1, flags]);
            put(&mut out, 8, &[offset, addr, addr, len as u64, len as u64, 0x1000]);
        }
        out.resize(CODE_OFFSET as usize, 0);
        out.extend(&self.code);
        out.resize(data_offset as usize, 0);
        out.extend(&self.data);
        out.extend([0; 24]);
        for (offset, size) in &self.functions {
            put(&mut out, 4, &[0]);
            // A global function in section 1.
            put(&mut out, 1, &[0x12, 0]);
            put(&mut out, 2, &[1]);
            put(&mut out, 8, &[CODE + offset, *size]);
        }
        out.extend(names);
        out.resize(sections_offset as usize, 0);
        let section = |out: &mut Vec<u8>, [name, kind, link, info]: [u64; 4], rest: [u64; 6]| {
            let [flags, addr, offset, size, align, entry] = rest;
            put(out, 4, &[name, kind]);
            put(out, 8, &[flags, addr, offset, size]);
            put(out, 4, &[link, info]);
            put(out, 8, &[align, entry]);
        };
        section(&mut out, [0; 4], [0; 6]);
        section(
            &mut out,
            [1, 1, 0, 0],
            [6, CODE, CODE_OFFSET, self.code.len() as u64, 16, 0],
        );
        section(&mut out, [7, 2, 3, 1], [0, 0, symbols_offset, symbols_len, 8, 24]);
        section(
            &mut out,
            [0, 3, 0, 0],
            [0, 0, names_offset, names.len() as u64, 1, 0],
        );
        out
    }
}

/// Appends integers, little-endian, `len` bytes each.
fn put(out: &mut Vec<u8>, len: usize, values: &[u64]) {
    for value in values {
        out.extend(&value.to_le_bytes()[..len]);
    }
}
